// @ts-check
/**
 * The words on the page. An answer's words are dim until they are spoken, one after the other; what was cut off is
 * struck through. Only what changed touches the document.
 */

import { isSpoken, spokenPart, words } from "../conversation/alignment.js";
import { spokenLength } from "../conversation/transcript_line.js";

/** @typedef {import("../conversation/conversation.js").Conversation} Conversation */
/** @typedef {import("../conversation/transcript_line.js").TranscriptLine} TranscriptLine */
/** @typedef {{item: HTMLLIElement, text: HTMLParagraphElement, drawn: string, words: {start: number, end: number, span: HTMLElement}[]}} DrawnLine */

const NEAR_THE_END_PX = 80;

export class TranscriptView {
  /**
   * @param {HTMLElement} script the scrolling region @param {HTMLOListElement} list
   * @param {HTMLButtonElement} latest leads back to the end
   * @param {(line: TranscriptLine, item: HTMLLIElement) => void} showSounds of a line whose element is new, or that has changed
   */
  constructor(script, list, latest, showSounds) {
    this.showSounds = showSounds;
    this.script = script;
    this.list = list;
    this.latest = latest;
    /** @type {Map<TranscriptLine, DrawnLine>} */
    this.drawn = new Map();
    /** Whether the end is in view, and so has to stay there when words come or the room for them changes. */
    this.following = true;
    let top = 0;
    script.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = script;
      const near = scrollHeight - scrollTop - clientHeight < NEAR_THE_END_PX;
      // Far from the end because the words grew is not far because the reader went up.
      this.setFollowing(near || (this.following && scrollTop >= top));
      top = scrollTop;
    });
    latest.addEventListener("click", () => {
      if (document.activeElement === latest) script.focus(); // it is about to disappear
      this.goToEnd();
    });
    const sizes = new ResizeObserver(() => {
      if (script.scrollHeight - script.clientHeight < NEAR_THE_END_PX) this.setFollowing(true);
      this.follow();
    });
    sizes.observe(script);
    sizes.observe(list);
  }

  /** @param {boolean} following */
  setFollowing(following) {
    this.following = following;
    this.latest.hidden = following;
  }

  goToEnd() {
    this.setFollowing(true);
    this.follow();
  }

  follow() {
    if (this.following) this.script.scrollTop = this.script.scrollHeight;
  }

  clear() {
    this.drawn.clear();
    this.list.replaceChildren();
    this.setFollowing(true);
  }

  /** @param {Conversation} conversation */
  draw(conversation) {
    let changed = false;
    for (const line of conversation.lines) changed = this.drawLine(line, spokenLength(line)) || changed;
    if (changed) this.follow();
  }

  /** @param {TranscriptLine} line @param {number} spoken @returns {boolean} whether anything changed */
  drawLine(line, spoken) {
    const heard = line.clips.map(({ words }) => words.join("").length).join();
    const state = `${line.text.length}/${spoken}/${line.cutAt}/${line.final}/${line.failure}/${line.heardAll}/${line.heardMs > 0}/${heard}`;
    const drawn = this.drawn.get(line) ?? this.add(line);
    if (drawn.drawn === state) return false;
    drawn.drawn = state;
    if (line.role === "user") drawUser(drawn, line);
    else if (line.cutAt !== null) drawCut(drawn, line, spoken);
    else drawAnswer(drawn, line, spoken);
    drawn.item.classList.toggle("failed", line.failure !== null);
    this.showSounds(line, drawn.item);
    return true;
  }

  /** @param {TranscriptLine} line @returns {DrawnLine} */
  add(line) {
    const item = document.createElement("li");
    item.className = line.role;
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = line.role === "user" ? "You" : "Parlour";
    const text = document.createElement("p");
    text.dir = "auto";
    item.append(who, text);
    this.list.append(item);
    const drawn = { item, text, drawn: "", words: [] };
    this.drawn.set(line, drawn);
    return drawn;
  }
}

/** @param {DrawnLine} drawn @param {TranscriptLine} line */
function drawUser(drawn, line) {
  const silent = line.final && line.text === "" && line.clips.length === 0;
  drawn.item.classList.toggle("waiting", !line.final && line.text === "");
  drawn.item.classList.toggle("wordless", silent);
  drawn.text.textContent = silent ? "no words" : line.text;
}

/** @param {DrawnLine} drawn @param {TranscriptLine} line @param {number} spoken */
function drawAnswer(drawn, line, spoken) {
  drawn.item.classList.toggle("waiting", line.text === "" && !line.final);
  words(line.text).forEach((word, index) => {
    let known = drawn.words[index];
    if (!known) {
      const span = document.createElement("span");
      span.className = "word";
      drawn.text.append(span);
      known = { ...word, span };
      drawn.words.push(known);
    }
    known.start = word.start;
    known.end = word.end;
    const text = line.text.slice(word.start, word.end); // the last word may still be growing
    if (known.span.textContent !== text) known.span.textContent = text;
    known.span.classList.toggle("said", isSpoken(word, spoken));
  });
}

/** Said words stay; the rest becomes one struck piece. @param {DrawnLine} drawn @param {TranscriptLine} line @param {number} spoken */
function drawCut(drawn, line, spoken) {
  const said = document.createElement("span");
  said.className = "word said";
  said.textContent = spokenPart(line.text, spoken);
  const struck = document.createElement("del");
  const rest = line.text.slice(said.textContent.length);
  struck.textContent = rest.trimStart();
  drawn.item.classList.remove("waiting");
  drawn.text.replaceChildren(said, rest.slice(0, rest.length - struck.textContent.length), struck);
  drawn.words = [];
}

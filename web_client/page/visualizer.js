// @ts-check
/**
 * The visualizer in the middle: its shape says what the assistant is doing without colour. A quiet ring waits, an open arc
 * turns while connecting, ripples leave it while it hears, three dots think, a full and moving body speaks, a
 * broken ring has failed. Geometry eases over a few frames; which shape it is changes at once.
 */

/** @typedef {import("./view_state.js").ViewState} ViewState */
/**
 * @typedef {{radius: number, fill: number, stroke: number, wave: number, lobes: number, breath: number,
 *   ripples: number, dots: number, arc: number}} Form
 */

/** @type {Record<ViewState, Form>} lengths in units of a 240 by 240 picture, shares 0 to 1 */
const FORMS = {
  ready: { radius: 62, fill: 0, stroke: 2, wave: 0, lobes: 3, breath: 1.5, ripples: 0, dots: 0, arc: 1 },
  connecting: { radius: 62, fill: 0, stroke: 3, wave: 0, lobes: 3, breath: 0, ripples: 0, dots: 0, arc: 0.28 },
  listening: { radius: 68, fill: 0.1, stroke: 2.5, wave: 0, lobes: 3, breath: 3.5, ripples: 0, dots: 0, arc: 1 },
  hearing: { radius: 54, fill: 0.22, stroke: 2.5, wave: 5, lobes: 7, breath: 1, ripples: 1, dots: 0, arc: 1 },
  thinking: { radius: 70, fill: 0, stroke: 1.25, wave: 0, lobes: 3, breath: 1, ripples: 0, dots: 1, arc: 1 },
  speaking: { radius: 64, fill: 1, stroke: 0, wave: 6, lobes: 3, breath: 1, ripples: 0, dots: 0, arc: 1 },
  muted: { radius: 62, fill: 0, stroke: 2, wave: 0, lobes: 3, breath: 0, ripples: 0, dots: 0, arc: 1 },
  failed: { radius: 62, fill: 0, stroke: 3, wave: 0, lobes: 3, breath: 0, ripples: 0, dots: 0, arc: 0.78 },
};

/** Strokes on top of the body, where a state has one. @type {Partial<Record<ViewState, string>>} */
const MARKS = {
  muted: "M-44 -44 L44 44",
  failed: "M0 -26 L0 8 M0 24 L0 25",
};

const POINTS = 90;
const EASE_PER_S = 14;
const LEVEL_EASE_PER_S = 18;

export class Visualizer {
  /** @param {SVGSVGElement} svg @param {MediaQueryList} reducedMotion prefers-reduced-motion */
  constructor(svg, reducedMotion) {
    this.svg = svg;
    this.reducedMotion = reducedMotion;
    this.body = /** @type {SVGPathElement} */ (svg.querySelector(".body"));
    this.mark = /** @type {SVGPathElement} */ (svg.querySelector(".mark"));
    this.glow = /** @type {SVGCircleElement} */ (svg.querySelector(".glow"));
    this.ripples = /** @type {SVGCircleElement[]} */ ([...svg.querySelectorAll(".ripples circle")]);
    this.dots = /** @type {SVGCircleElement[]} */ ([...svg.querySelectorAll(".dots circle")]);
    /** @type {ViewState} */
    this.state = "ready";
    this.form = { ...FORMS.ready };
    this.level = 0;
    this.targetLevel = 0;
    this.lastMs = 0;
    reducedMotion.addEventListener("change", () => this.draw(performance.now()));
    this.draw(0);
    requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {ViewState} state @param {string} word */
  show(state, word) {
    this.svg.setAttribute("aria-label", word);
    if (state === this.state) return;
    this.state = state;
    this.form = { ...FORMS[state], radius: this.form.radius, fill: this.form.fill };
    this.draw(performance.now());
  }

  /** @param {number} level loudness of whoever speaks, 0 to 1 */
  setLevel(level) {
    this.targetLevel = level;
  }

  /** @param {number} now */
  tick(now) {
    const elapsed = Math.min(0.1, (now - this.lastMs) / 1000);
    this.lastMs = now;
    const target = FORMS[this.state];
    const ease = 1 - Math.exp(-elapsed * EASE_PER_S);
    this.form.radius += (target.radius - this.form.radius) * ease;
    this.form.fill += (target.fill - this.form.fill) * ease;
    this.level += (this.targetLevel - this.level) * (1 - Math.exp(-elapsed * LEVEL_EASE_PER_S));
    if (!this.reducedMotion.matches) this.draw(now);
    requestAnimationFrame((next) => this.tick(next));
  }

  /** @param {number} nowMs */
  draw(nowMs) {
    const still = this.reducedMotion.matches;
    const form = still ? FORMS[this.state] : this.form;
    const time = still ? 0.8 : nowMs / 1000;
    const level = still ? 0.5 : this.level;
    const radius = form.radius + form.breath * Math.sin(time * 1.35) + (this.state === "speaking" ? level * 20 : level * 8);
    this.body.setAttribute("d", outline(radius, form, time, level));
    this.body.style.fillOpacity = String(form.fill);
    this.body.style.strokeWidth = String(form.stroke);
    this.glow.style.opacity = String(0.35 + 0.4 * level + (this.state === "speaking" ? 0.15 : 0));
    this.mark.setAttribute("d", MARKS[this.state] ?? "");
    this.ripples.forEach((ripple, index) => {
      const age = (time * 0.55 + index / 3) % 1;
      ripple.setAttribute("r", String(62 + age * 50));
      ripple.style.opacity = String(form.ripples * (1 - age) * (0.35 + 0.65 * Math.min(1, level * 2)));
    });
    this.dots.forEach((dot, index) => {
      const swing = Math.sin(time * 3.4 - index * 0.9);
      dot.setAttribute("cx", String((index - 1) * 26));
      dot.setAttribute("cy", String(-5 * swing));
      dot.setAttribute("r", String(6.5 + 1.5 * swing));
      dot.style.opacity = String(form.dots);
    });
  }
}

/**
 * A closed, soft outline, or an arc of one.
 * @param {number} radius @param {Form} form @param {number} time in s @param {number} level
 */
function outline(radius, form, time, level) {
  const swell = form.wave * (0.45 + 1.6 * level);
  const turn = form.arc < 0.5 ? time * 3 : 0; // an arc that short is looking for something
  const count = Math.round(POINTS * form.arc);
  /** @type {[number, number][]} */
  const points = [];
  for (let index = 0; index <= count; index += 1) {
    const angle = (index / POINTS) * 2 * Math.PI + turn - (form.arc < 1 ? Math.PI * 0.3 : 0);
    const wave =
      Math.sin(angle * form.lobes + time * 2.1) * 0.6 +
      Math.sin(angle * (form.lobes - 1) - time * 1.3) * 0.4;
    const distance = radius + swell * wave;
    points.push([distance * Math.cos(angle), distance * Math.sin(angle)]);
  }
  return form.arc < 1 ? polyline(points) : closedCurve(points.slice(0, -1));
}

/** Quadratic curves through the middles of the sides: smooth, and cheap. @param {[number, number][]} points */
function closedCurve(points) {
  const middle = (/** @type {number} */ index) => {
    const [x1, y1] = points[index % points.length];
    const [x2, y2] = points[(index + 1) % points.length];
    return `${((x1 + x2) / 2).toFixed(2)} ${((y1 + y2) / 2).toFixed(2)}`;
  };
  const curves = points.map(([x, y], index) => `Q${x.toFixed(2)} ${y.toFixed(2)} ${middle(index)}`);
  return `M${middle(points.length - 1)}${curves.join("")}Z`;
}

/** @param {[number, number][]} points */
const polyline = (points) => `M${points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L")}`;

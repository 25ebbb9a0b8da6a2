"""How people ask about a clip. English, lower case, one phrase a line.

`[...]` may be missing, `(a|b)` is either, a word in capitals stands for those of WORDS, `s?` and the like are
regular expressions'. Two blanks are as good as one, or none.
"""

from enum import Enum, auto


class Topic(Enum):
    """What of a clip is asked for. The first can be measured or recognised; the last three take hearing."""

    TRANSCRIPT = auto()
    DURATION = auto()
    LEVEL = auto()
    SPEECH = auto()
    SILENCE = auto()
    PAUSES = auto()
    LANGUAGE = auto()
    NOISE = auto()
    OVERVIEW = auto()
    FEELING = auto()
    SPEAKER = auto()
    SOUNDS = auto()


NEEDS_HEARING = frozenset({Topic.FEELING, Topic.SPEAKER, Topic.SOUNDS})

WORDS = {
    # What is spoken of: by a noun, or by anything else beside it.
    "NAMED": "[audio|sound|voice|wave?|mp3|speech] (audios?|clips?|recordings?|files?|voice ?mails?|memos?"
    "|tracks?|snippets?|segments?|wavs?|mp3s?|tapes?)",
    "WHICH": "(this|that|the|my|our|these|those|both|each|every|all|attached|given|following|above|uploaded"
    "|same|of|first|second|third|last|whole|entire|two|three|short|long|provided|spoken)",
    "IT": "(it|this|that|these|those|they|them|both|each|here|there|NAMED"
    "|(WHICH )+(NAMED|sounds?|messages?|notes?|samples?|speech|call))",
    "ANYBODY": "((any|some) ?(body|one)|any (people|person)|people|a (person|human)|a human being)",
    "WHO": "(he|she|they|it|this|that|ANYBODY|[the|this|that|each|a] (speakers?|persons?|people|man|woman|men"
    "|women|callers?|voices?|guy|lady|boy|girl|child|kid|user|customer|narrator|talker|other"
    "|(first|second) speaker))",
    "WHO_OR_IT": "(WHO|IT)",
    # The little words, in both orders: "how long is it", "tell me how long it is".
    "BE": "(is|are|was|were)",
    "DO": "(does|do|did)",
    "THE": "((the|an?|any|some|this|that|these|those|its|their|his|her|all|every|exact|full) )*",
    "IS_IT": "(BE IT|IT BE)",
    "IS_WHO": "(BE WHO_OR_IT|WHO_OR_IT BE)",
    "THERE_IS": "(BE there|there BE|IT (has|have|contains?|holds?|includes?)|"
    "DO IT (have|contain|hold|include)|hear|(do|can|did) (you|i|we) (hear|detect|find|notice)|detect|find"
    "|notice|(check|look|listen) for)",
    "RATHER": "(very|too|rather|really|so|a bit|at all)",
    "GIVE": "(give [me]|show [me]|write [me]|get [me]|provide|produce|make [me]|create|i? ?(want|need)|have"
    "|what (is|are)|print|return|output|read [me]|say|type)",
    "ESTIMATE": "(detect|identify|recogni[sz]e|classify|name|guess|determine|estimate|predict|find"
    "|describe|tell)",
    "BEHIND": "in the background",
    # What is asked for.
    "SAID": "([being] (said|spoken|uttered|told))",
    "SAYS": "(says?|said|BE saying)",
    "SPEAKING": "(speaking|talking|saying (any|some)thing)",
    "TRANSCRIPTS": "((verbatim|word for word|complete|written) )*"
    "(transcripts?|transcriptions?|dictation|captions?|subtitles|words)",
    "LEVELS": "((average|mean|peak|maximum|max|rms|sound|audio|volume|overall) )*"
    "(levels?|volume|loudness|peak|amplitude|rms|gain|decibels|db|dbfs) [levels?]",
    "A_VOICE": "(speech|voices?|talking|speaking|talk|human (speech|voices?)|spoken (words?|language)|words?"
    "|ANYBODY [SPEAKING])",
    "SILENCES": "(silences?|silent parts?)",
    "PAUSE": "((long|short|longest|speech) )*(pauses?|gaps?|breaks?|turns?|utterances?|hesitations?)",
    "A_LANGUAGE": "(english|french|german|spanish|italian|portuguese|dutch|polish|chinese|mandarin|cantonese"
    "|japanese|russian|arabic|hindi|korean|turkish|swedish|czech|ukrainian|greek|hebrew|danish|finnish)",
    "NOISE": "([background|ambient] noise [level|floor]|signal to noise [ratio]|snr)",
    "A_FEELING": "([emotional] (emotions?|moods?|feelings?|tone [of voice]|sentiment|affect|state)|attitude)",
    "FELT": "(happy|sad|angry|calm|nervous|excited|upset|bored|tired|scared|afraid|fearful|surprised"
    "|disgusted|neutral|annoyed|frustrated|friendly|stressed|anxious|relaxed|cheerful|emotional|serious|sarcastic|joking"
    "|confident|worried|polite|rude|aggressive|depressed|enthusiastic|drunk|ill|sick)",
    "A_PERSON": "[an?] (male|female|man|woman|boy|girl|child|kid|adult|teenager|young|old|elderly|human"
    "|robot|machine|real person|native|synthetic|computer|ai|tts) [voice|speaker|person]",
    "TRAIT": "([approximate|likely|probable] (gender|sex|age|accent|dialect|identity|name|nationality|voice"
    "|pitch|ethnicity) [(and|or) (gender|sex|age|accent)])",
    "A_SOUND": "([background|ambient|environmental|other] (music|songs?|singing|melody|noises?|sounds?"
    "|sound (events?|effects?)|audio events?|instruments?|drums?|guitars?|pianos?|violins?|birds?|birdsong"
    "|dogs?|[dogs?] barking|cats?|cars?|traffic|rain|wind|thunder|water|footsteps|animals?|engines?|sirens?"
    "|alarms?|bells?|applause|clapping|laughter|laughing|crying|cough(s|ing)?|sneez(es|e|ing)|sighs?|sighing"
    "|screaming|breathing|throat clearing|snoring|whispering|echo|reverb|crowds?|machines?|phones? ringing))",
    "MUSICAL": "(music|songs?|genre|melody|key|tempo|bpm|rhythm|beat|chords?|instruments?|style|artist)",
    "UTTERING": "(laughing|crying|coughing|sneezing|singing|clapping|whispering|shouting|screaming|sighing)",
    "UTTER": "(laugh|cry|cough|sneeze|sing|clap|whisper|shout|scream|sigh)",
}
"""May stand for each other, downwards and upwards, without a circle."""

PHRASES = {
    Topic.TRANSCRIPT: """
        transcribe [IT] [speech]
        transcribe (what WHO SAYS|what BE SAID|[the] (speech|words))
        GIVE THE TRANSCRIPTS
        [the] (transcript|transcription|dictation)
        (write|take|type|note|put) [IT] down [IT]
        (write|take|type|note|put) [down] what (BE SAID|WHO SAYS) [down]
        what BE SAID
        what BE WHO saying
        what DO WHO_OR_IT say
        what WHO_OR_IT SAYS
        (what|which) words BE SAID
        (what|which) BE the words
        (repeat|read|read out|quote) [IT|the words|what BE SAID|what WHO SAYS] [back|aloud]
        what did (you hear|you understand|i [just] say)
        recogni[sz]e [the] (speech|words)
        (turn|convert) IT [into|to] [text|words|writing]
        speech (to text|recognition)
    """,
    Topic.DURATION: """
        how long [IS_IT|DO IT (last|take|run|go on|go|play)|IT (lasts?|takes?|runs?)]
        how (many (seconds|minutes|milliseconds|ms)|much (time|audio|sound)) [long] [IS_IT|BE there] [long]
        how (many (seconds|minutes|milliseconds|ms)) (DO IT (last|have|take|run|contain)|IT (lasts?|has))
        [what BE|GIVE|ESTIMATE|measure] THE (duration|length|running time|run time|play ?time)
        (what|which) (duration|length) (IS_IT|DO IT have)
    """,
    Topic.LEVEL: """
        how (loud|quiet|soft|loudly|quietly) [IS_WHO [SPEAKING]|DO WHO (speak|talk)]
        [IS_WHO|DO IT sound] [RATHER] (loud [or quiet]|quiet|soft|distorted|clipped|clipping) [enough]
        [THERE_IS|what about] THE (clipping|distortion)
        DO IT (clip|distort)
        [what BE|GIVE|ESTIMATE|measure|check] THE LEVELS
        how many (db|dbfs|decibels) IS_IT
    """,
    Topic.SPEECH: """
        THERE_IS THE A_VOICE [at all]
        [BE|does] ANYBODY [BE] (SPEAKING|speaks?|talks?|(say|says) (any|some)thing|audible|there)
        BE WHO SPEAKING
        DO WHO (speak|talk|say (any|some)thing)
        IS_IT THE (speech|voice|talking|spoken) [or (A_SOUND|silence|not|something else)]
        (when|where) [DO] (WHO|THE A_VOICE) [BE] [starts?|begins?|ends?|stops?|speaks?|talks?|SPEAKING]
        (when|where) BE [there] (THE A_VOICE|WHO SPEAKING)
        how much [of IT BE] (speech|talking) [BE there]
        how long (DO WHO (speak|talk)|BE WHO SPEAKING|WHO (speaks?|talks?|BE SPEAKING)|BE the speech)
        (detect|find|locate|mark) THE (speech|voice) [activity] [segments?|regions?]
    """,
    Topic.SILENCE: """
        (how much|how many seconds of|where|when) [BE] [there] THE (SILENCES|silent) [BE there|parts?|IS_IT]
        (where|when) IS_IT (silent|quiet)
        how (long|many) [BE] THE SILENCES [BE there]
        THERE_IS THE SILENCES [at the (start|beginning|end) [(and|or) [at] the (end|start|beginning)]]
        [IS_IT] [completely|totally|just|only|all] (silent|silence|empty|blank)
        (find|detect|locate|list|show|mark|measure|GIVE) THE SILENCES
    """,
    Topic.PAUSES: """
        how many PAUSE [BE there|DO WHO_OR_IT (make|have|take|contain)|WHO_OR_IT makes?]
        (where|when|how long) BE THE PAUSE
        (THERE_IS|find|detect|locate|list|count|measure|show|what BE|mark|GIVE) THE [number of] PAUSE
        (where|when|how often) DO WHO (pause|stop|hesitate)
        DO WHO (pause|hesitate)
    """,
    Topic.LANGUAGE: """
        [in] (what|which) languages? [IS_WHO|BE [being] used|BE SAID] [in|spoken|being spoken]
        [in] (what|which) languages? (BE WHO speaking|WHO BE speaking|DO WHO (speak|talk)|WHO speaks?) [in]
        what BE THE [spoken] language
        (ESTIMATE|GIVE) THE [spoken] languages? [[being] spoken]
        [the] language [identification|detection]
        IS_WHO [in|speaking|spoken in|talking in] A_LANGUAGE (or A_LANGUAGE)* [speech]
        DO WHO speak A_LANGUAGE (or A_LANGUAGE)*
    """,
    Topic.NOISE: """
        [how] (noisy|clean) [IS_IT]
        IS_IT [RATHER] (noisy|clean)
        (THERE_IS|how much|how loud BE) (THE|a lot of|[too] much) NOISE [BE there] [BEHIND]
        [what BE|GIVE|ESTIMATE|measure] THE NOISE [of the background]
    """,
    Topic.OVERVIEW: """
        (describe|analy[sz]e|examine|inspect|caption|check) [IT]
        (what|which) BE [IT]
        what DO IT (contain|hold|have|sound like)
        what (do|did|can) you (hear|notice|tell [me]|say)
        what you hear
        what kind of (audio|recording|file|clip) IS_IT
        [tell [me]] [something|everything|all|more] about IT
        (give|write) [me] an? (description|overview|analysis)
        audio analysis
    """,
    Topic.FEELING: """
        (what|which) A_FEELING BE (WHO_OR_IT [in|feeling|expressing]|expressed|shown|conveyed|there)
        (what|which) A_FEELING DO WHO_OR_IT (have|show|express|convey|feel)
        [what BE|GIVE|ESTIMATE] THE [speaker('s)?] A_FEELING [of WHO ['s voice]] [with keywords] [in english]
        how DO WHO_OR_IT (feel|sound)
        how (IS_WHO feeling|WHO_OR_IT (feels?|sounds?))
        DO WHO_OR_IT (sound|seem|feel) [RATHER] FELT (or FELT)*
        IS_WHO [RATHER] [feeling] FELT (or FELT)*
        [speech] emotion recognition
    """,
    Topic.SPEAKER: """
        IS_WHO A_PERSON (or A_PERSON)* [speaking|talking]
        (what|which) TRAIT (IS_WHO|DO WHO have|WHO has)
        (what BE|GIVE|ESTIMATE) THE [speaker('s)?] TRAIT [of WHO [speaking]]
        TRAIT
        speaker (identification|recognition|diari[sz]ation)
        how old (IS_WHO|DO WHO sound)
        who (BE (speaking|talking|it|this|that|the (speaker|person|voice))|speaks|talks|IT is)
        (whose|which) voice IS_IT
        how many [different] (speakers?|people|persons|voices) [BE (there|SPEAKING|audible)|speak|talk]
        how many [different] (speakers?|people|persons|voices) (can be heard|(do|can) you hear)
        (identify|recogni[sz]e|separate|count|diari[sz]e) THE (speakers?|voices?|IT)
    """,
    Topic.SOUNDS: """
        THERE_IS THE A_SOUND [BEHIND]
        (what|which) [(kind|type|sort|genre|style)s? [of]] (A_SOUND|MUSICAL) [IS_IT|makes? it] [BEHIND]
        (what|which) (A_SOUND|MUSICAL) BE (there|playing|[being] played|used|heard|audible) [BEHIND]
        (what|which) (A_SOUND|MUSICAL) ((do|can) you hear|(can|could) be heard) [BEHIND]
        what BE THE (A_SOUND|MUSICAL) [BEHIND] [of [the] (music|song)]
        what BE (happening|going on|BEHIND) [BEHIND]
        (what|who) (makes|made|BE making) THE A_SOUND
        (ESTIMATE|list) THE (human vocal sound|A_SOUND|MUSICAL) [to vocalsound] [in english] [BEHIND]
        IS_IT THE (A_SOUND|MUSICAL) [or .{1,40}]
        BE WHO UTTERING [or (UTTERING|speaking|talking)]
        DO WHO UTTER
        where BE IT (recorded|made|taken)
        (music|sound|scene|audio) (classification|recognition|tagging|captioning)
    """,
}

POLITENESS = """
    please|hey|hi|hello|there|ok|okay|so|now|and|also|then|well|just|parlour|first|quickly|briefly|kindly
    (can|could|would|will) you|can i|i would like [you]|i want [you]|i need|i (want|need) to know|tell me|say
    let me know|do you know|[do] you think|any idea|to|know|me|if|whether|listen [closely] to IT|(in|from) IT
"""
"""May stand before a question."""
ADDITIONS = """
    please|thanks|thank you|for me|exactly|approximately|roughly|now|overall|in total|altogether|to me|or not
    at all|again|briefly|in detail|accurately|verbatim|word (for|by) word|anyway|as text|(in)?to text
    in (one|an?|any|two|[a] few) [short|single] (words?|sentences?|lines?)|in (seconds|minutes|milliseconds)
    (in|of|on|from|to|about|for|during|within|throughout|inside|with) IT
"""
"""May stand after it."""
BY_THE_WAY = """
    please|hi|hello|hey|thanks|thank you|parlour|ok|okay|be (brief|short|precise|exact|honest)
    answer (briefly|shortly)|[answer] in (one|a) [short] (word|sentence)
    listen [to IT]|here is IT|(look|have a look) at IT
"""
"""Beside a question, and none itself."""

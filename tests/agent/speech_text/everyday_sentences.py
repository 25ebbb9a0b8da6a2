"""Fifty sentences as chat models write them, each with the words that a careful reader says.

Words only: capitals, hyphens and pauses do not count. "(a|b)" stands for either.
"""

SENTENCES: tuple[tuple[str, str], ...] = (
    # Yes, no, and answers that are a number.
    ("No. I would rather stay.", "no i would rather stay"),
    ("No. 10 Downing Street is famous.", "number ten downing street is famous"),
    (
        "1984. That is the year Orwell wrote about.",
        "nineteen eighty four that is the year orwell wrote about",
    ),
    (
        "1. Preheat the oven.\n2. Bake for 25 min.",
        "(one|) preheat the oven (two|) bake for twenty five minutes",
    ),
    ("#1 in the world.", "number one in the world"),
    # Signs.
    ("The temperature fell to −12°C.", "the temperature fell to minus twelve degrees celsius"),
    ("You owe -$12.50.", "you owe minus twelve dollars (and|) fifty cents"),
    ("7 × 8 = 56.", "seven times eight (equals|is) fifty six"),
    ("100 / 4 = 25.", "one hundred (divided by|over|slash) four (equals|is) twenty five"),
    ("5 - 8 = -3", "five minus eight (equals|is) minus three"),
    # Ranges and ratios.
    ("It takes 3–5 days.", "it takes three to five days"),
    ("The shop is open Mon-Fri, 8am-6pm.", "the shop is open monday to friday eight a m to six p m"),
    ("From 1939-1945 there was war.", "from nineteen thirty nine to nineteen forty five there was war"),
    ("Expect 50%-60% humidity.", "expect fifty percent to sixty percent humidity"),
    ("Mix them at a ratio of 3:1.", "mix them at a ratio of three to one"),
    # Numbers that are codes.
    ("Call 020 7946 0958.", "call (zero|oh) two (zero|oh) seven nine four six (zero|oh) nine five eight"),
    (
        "My number is +1 212-555-0147.",
        "my number is plus one two one two five five five (zero|oh) one four seven",
    ),
    ("Dial 911 now.", "dial nine one one now"),
    ("The ZIP code is 90210.", "the zip code is nine (zero|oh) two one (zero|oh)"),
    ("Ping 10.0.0.1 first.", "ping ten (point|dot) zero (point|dot) zero (point|dot) one first"),
    ("Upgrade to v2.10.3 today.", "upgrade to (v|version) two (point|dot) ten (point|dot) three today"),
    (
        "Flight BA2490 leaves from gate B12.",
        "flight b a (two four nine (zero|oh)|twenty four ninety) leaves from gate b twelve",
    ),
    # Money.
    ("The film made $2.7B.", "the film made two point seven billion dollars"),
    (
        "It costs €1.234,56 in total.",
        "it costs one thousand two hundred thirty four euros (and|) fifty six cents in total",
    ),
    ("Only $0.99 today!", "only (zero dollars (and|)|) ninety nine cents today"),
    ("They pay $50K-$70K.", "they pay fifty thousand (dollars|) to seventy thousand dollars"),
    ("A £5 note fell out.", "a five pound note fell out"),
    # Decades and plurals.
    ("Music of the '90s is back.", "music of the nineties is back"),
    ("He is in his mid-30s.", "he is in his mid thirties"),
    ("Two 747s landed.", "two (seven forty sevens|seven four sevens|seven hundred forty sevens) landed"),
    # Units and fractions.
    ("He is 6 ft 2 in tall.", "he is six feet two inches tall"),
    ("Drive at 65 mph for 2.5 hrs.", "drive at sixty five miles per hour for two point five hours"),
    ("Wait 1 min. Then stir.", "wait one minute then stir"),
    ("Add 2½ cups of milk.", "add two and (a|one) half cups of milk"),
    ("Use 2/3 of it.", "use two thirds of it"),
    ("There are 1 000 000 stars.", "there are one million stars"),
    # Times and dates.
    ("The train leaves at 6:05 a.m. tomorrow.", "the train leaves at six oh five a m tomorrow"),
    (
        "The race took 1:02:33.",
        "the race took (one (oh|zero|) two thirty three|one hour two minutes (and|) thirty three seconds)",
    ),
    ("The deadline is 3/15/2026.", "the deadline is march fifteenth twenty twenty six"),
    (
        "He was born on 12 May 1987.",
        "he was born on (twelve may|twelfth may|the twelfth of may|may twelfth) nineteen eighty seven",
    ),
    ("Sept. 11 was a Tuesday.", "september eleventh was a tuesday"),
    # Abbreviations and letters.
    ("Dr. Lee lives on Elm Dr. in Boston.", "doctor lee lives on elm drive in boston"),
    ("Turn left at 5th Ave. and 42nd St.", "turn left at fifth avenue and forty second street"),
    ("Gov. Brown met Sen. Cruz.", "governor brown met senator cruz"),
    ("Water is H2O, or H₂O.", "water is h two o or h two o"),
    ("Chapter IV is short.", "chapter four is short"),
    # Addresses, names of files, markup.
    (
        "Write to anna_b@mail.example.org, please.",
        "write to anna underscore b at mail dot example dot org please",
    ),
    ("Edit setup.cfg and README.md.", "edit setup dot (cfg|c f g) and readme dot (md|m d)"),
    ("Press Ctrl+C twice.", "press control (plus|) c twice"),
    ("<p>Salt &amp; pepper</p>", "salt and pepper"),
)

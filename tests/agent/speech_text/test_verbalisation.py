"""Each kind of written form, with its neighbours: what looks alike and is read otherwise."""

import pytest

from agent.speech_text.speakable import speakable

MARKUP = [
    ("<div class='a'>Hi</div><br/>if a < b and c > d", "Hi, if a less than b and c greater than d"),
    ("<think>", ""),
    ("Hello<|im_end|>", "Hello"),
    ("R&amp;B &lt; jazz", "R and B less than jazz"),
    ("see [the page, please](https://a.b/c) now", "see the page, please now"),
    ("- [ ] buy milk\n- [x] eat", "buy milk. eat"),
    ("1) First\n2) Second", "one. First. two. Second"),
    ("| Name | Age |\n|---|---|\n| Bob | 42 |", "Name, Age. Bob, forty-two,"),
]
ELECTRONIC = [
    (
        "https://docs.python.org/3/re.html#re.sub",
        "docs dot python dot org slash three slash re dot html hash re dot sub",
    ),
    ("jane.doe@company.co.uk", "jane dot doe at company dot co dot uk"),
    ("open ~/.bashrc or /etc/hosts", "open tilde slash dot bashrc or slash etc slash hosts"),
    ("run rm -rf build, then make --force", "run rm dash rf build, then make dash dash force"),
    ("127.0.0.1:8080", "one hundred twenty-seven point zero point zero point one port eight thousand eighty"),
    ("1.2.3-beta", "one point two point three beta"),
    ("iOS 17.4.1, v2", "iOS seventeen point four point one, version two"),
    ("The end.Then more.", "The end. Then more."),
]
DATES = [
    ("on 25.12.2024", "on December twenty-fifth, twenty twenty-four"),
    ("on 25/12/2024", "on December twenty-fifth, twenty twenty-four"),
    ("on 9/11/2001", "on September eleventh, two thousand one"),
    ("2024-01-15T10:30:00Z", "January fifteenth, twenty twenty-four, ten thirty"),
    ("2024-13-45", "two zero two four, one three, four five"),
    ("the 4th of July, 2026", "the fourth of July, twenty twenty-six"),
    ("November 3-5", "November third to fifth"),
    ("Nov 2024, Mar 3rd", "November twenty twenty-four, March third"),
    ("In Jan. we left. In Feb.", "In January we left. In February."),
    ("May I? March on!", "May I? March on!"),
    ("the 1800s and the '60s", "the eighteen hundreds and the sixties"),
    ("Wait 30s. Timeout: 20s", "Wait thirty seconds. Timeout: twenty seconds"),
    ("5s, 100s of people", "five seconds, hundreds of people"),
]
TIMES = [
    ("at 10 a.m. Bring food.", "at ten A M. Bring food."),
    ("at 10 a.m. on Friday", "at ten A M on Friday"),
    ("12:00, 00:30, 23:59", "twelve o'clock, zero thirty, twenty-three fifty-nine"),
    ("15:45:30", "fifteen forty-five thirty"),
    ("9–11 a.m.", "nine to eleven A M."),
    ("9:00 – 17:00", "nine o'clock to seventeen hundred"),
    ("I am 9 and he is 10", "I am nine and he is ten"),
    ("16:9 and 2:1", "sixteen to nine and two to one"),
]
CODES = [
    ("Call me at 555 0123", "Call me at five five five, zero one two three"),
    ("200-1500 people", "two hundred to fifteen hundred people"),
    (
        "1.800.555.0199 ext. 12",
        "one, eight hundred, five five five, zero one nine nine extension one two",
    ),
    ("My PIN is 0420", "My PIN is zero four two zero"),
    ("order 48291734", "order four eight two nine one seven three four"),
    ("911 people came", "nine hundred eleven people came"),
    ("Beverly Hills, CA 90210", "Beverly Hills, CA nine zero two one zero"),
    ("H2SO4, CO2, C6H12O6", "H two S O four, C O two, C six H twelve O six"),
    ("COVID-19, F-16, MP3", "COVID nineteen, F sixteen, M P three"),
    ("0x1F", "zero x one F"),
]
MONEY = [
    ("a $20 bill costs $20", "a twenty dollar bill costs twenty dollars"),
    ("a $5 million deal", "a five million dollar deal"),
    ("$1M, £2.5bn", "one million dollars, two point five billion pounds"),
    ("20€ or 25 USD", "twenty euros or twenty-five dollars"),
    ("3,50 €, €5,99", "three euros and fifty cents, five euros and ninety-nine cents"),
    ("$5-10 million", "five to ten million dollars"),
    ("$1.50-$2", "one dollar and fifty cents to two dollars"),
    ("$5/month", "five dollars per month"),
    ("$1.999", "one point nine nine nine dollars"),
    ("$0", "zero dollars"),
    ("$-3", "minus three dollars"),
]
MEASURES = [
    ("2h 30min", "two hours thirty minutes"),
    ("Wait 5 min., then go", "Wait five minutes, then go"),
    ("5 in the box; 12 in. wide", "five in the box; twelve inches wide"),
    ("6'2\" and 5 ft 1 in", "six feet two inches and five feet one inch"),
    ("a 5-km run", "a five kilometer run"),
    ("20°-25°, 5–10 °C", "twenty degrees to twenty-five degrees, five to ten degrees Celsius"),
    ("-31 dBFS, 20 dB", "minus thirty-one decibels of full scale, twenty decibels"),
    ("100 Mbps, 4.7 GB", "one hundred megabits per second, four point seven gigabytes"),
    ("5 m², 3 m3", "five square meters, three cubic meters"),
    ("72F is 22C", "seventy-two degrees Fahrenheit is twenty-two degrees Celsius"),
    ("20x faster", "twenty times faster"),
    ("7 days/week, and/or", "seven days per week, and or"),
    ("1/2 tsp, 1 ½ cups", "one half teaspoon, one and a half cups"),
]
FIGURES = [
    ("4.5/5 stars, 4/5 stars", "four point five out of five stars, four out of five stars"),
    ("4/5 of it", "four fifths of it"),
    ("22/7", "twenty-two over seven"),
    ("50/50", "fifty fifty"),
    ("10-3 = 7 but it was 10-3", "ten minus three equals seven but it was ten to three"),
    ("pages 10 - 20", "pages ten to twenty"),
    ("2019 or 2023-24", "twenty nineteen or twenty twenty-three to twenty-four"),
    ("-10, −3, (−4), ±5", "minus ten, minus three, minus four, plus or minus five"),
    ("3k users, 70B weights, 4K", "three thousand users, seventy billion weights, four K"),
    ("221B Baker St. in London", "two hundred twenty-one B Baker street in London"),
    ("1.000.000 people", "one million people"),
    ("20 7946", "twenty seven thousand nine hundred forty-six"),
    ("1.5e-3", "one point five times ten to the power of minus three"),
    ("3 * 4, 2^3, 3x4", "three times four, two to the power of three, three by four"),
    ("21st, 2nd-largest, 1,000th", "twenty-first, second largest, one thousandth"),
    ("1066, 1905, 2007", "one thousand sixty-six, nineteen oh five, two thousand seven"),
    ("#5, No. 5, no. 5, №5", "number five, number five, number five, number five"),
    ("~20, approx. 30", "about twenty, approximately thirty"),
]
ABBREVIATIONS = [
    ('He said "no." Then no.', "He said no. Then no."),
    ("10 Main St. It is nice.", "ten Main street. It is nice."),
    ("in downtown St. Louis", "in downtown saint Louis"),
    ("4 Privet Dr. They moved.", "four Privet drive. They moved."),
    ("Ask Dr. Lee or Mt. Hood.", "Ask doctor Lee or mount Hood."),
    ("Acme Inc. It grew. Acme Inc. grew.", "Acme incorporated. It grew. Acme incorporated grew."),
    ("tea, etc. and so on, etc. Then", "tea, et cetera and so on, et cetera. Then"),
    ("a Ph.D. in law", "a P H D in law"),
    ("pp. 3-4, Fig. 2", "pages three to four, figure two"),
    ("J. K. Rowling, J.R.R. Tolkien", "J. K. Rowling, J R R Tolkien"),
    ("World War I, Henry VIII, Part II", "World War one, Henry the eighth, Part two"),
    ("I am Vi. MIX XI", "I am Vi. MIX eleven"),
    ("the US army, us and THEM", "the U S army, us and THEM"),
    ("THE US IS BIG", "THE US IS BIG"),
    ("π and 3 Ω, Σ, λ", "pi and three ohms, sigma, lambda"),
    ("AT&T, R&B", "A T and T, R and B"),
]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        *(MARKUP + ELECTRONIC + DATES + TIMES + CODES),
        *(MONEY + MEASURES + FIGURES + ABBREVIATIONS),
    ],
)
def test_is_said_as_people_say_it(written: str, said: str) -> None:
    assert speakable(written) == said

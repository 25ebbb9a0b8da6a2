"""Pieces of text that provoke the rules, to be put together at random."""


def _pieces(text: str) -> list[str]:
    return text.split("|")


ENGLISH = _pieces(
    "and|a|half|one|two|twenty|five|hundred|thousand|million|point|oh|o|zero|double|triple|minus|plus|dollars|cents|"
    "cent|per|percent|%|$|$2|5|1|0|1984|3.5|5,000|,|.|..|...|!|?|'|'s|'d|he's|she'd|been|gone|done|got|got.|it's|um|"
    "uh|mm|um's|hmm,|won't|can't|mr|mr.|mrs|st|st.|5th|th|nd|2nd|s|1s|U.S.|a.m.|the|colour|theatre|word|word.|"
    "word,|well-known|(laughs)|[noise]|<x>|<|en|>|(|)|[|]|É|naïve|it’s|“hi”|½|٣|５|first|second|sixties|"
    "half-brother|-10|£5|€|¢|second-hand|o'clock|'cause|cause|kinda|y'all|ain't|-|–|/|3/4|&|e\u0301|ΑΣ|ΑΣ.|"
    "㍍|ﬁne|x´y|\u0301x|²|x_y|_|o'neil|rev|col.|one's|ones|been-there|um-been|ß|œuvre|half%|$half|and-a-half|"
    "zeroth|,000|point.|a.b|x.5|.5|;|:b|dunno"
)
ENGLISH += ["<|en|>", "<|0.00|>"]

FRENCH = _pieces(
    "l'été|L'ÉTÉ|où|cœur|CŒUR|ça|c'est|qu’il|«|»|!| ?|:|;|"
    ".|…|3,50|€|[bruit]|(rire)|<x>|(|[|<|e\u0301|É|½|ＡＢＣ|"
    "n°|ΑΣ|Σ|.β|İ|ﬁ|²|x²|-|_|a|le|maïs|été,|été.|2000|Å|Å|=\u0338"
)
FRENCH += ["<|fr|>"]

CANTONESE = _pieces(
    "你|食|咗|飯|嘅|係|嗰|啲|滑鼠|網路|計算機|皇后|皇後|裏面|裡面|發達|頭髮|乾淨|著|一|二|3|2024|。|，|「|」|（笑）|(笑)|"
    "[音樂]|［音樂］|［|(|<|iPhone|Ａ|é|e\u0301|ｶﾞ|が|각|가|Σ|Σ.|ßab|😀|\ufe0f|①|㍍|﷽|!|.|-|\u3000"
)
CANTONESE += ["<|yue|>"]

CHINESE = _pieces(
    "0|1|2|3|5|8|9|00|10|19|20|22|86|98|"
    "000|2002|2024|1000|13812345678|12345678|1/2%|+86 |86|010-|0371|82345678|100000000|"
    "12345678901234567890123456789012345678901|年|月|日|号|元|块|角|毛|分|亿|万|千|百|千万|百万|多|余|几|两|二|零|十|个|只|张|"
    "千克|微米|秒|点|/|%|％|^|$|.|-|a|B|O2O|O二O|，|。|‥|•|好|Ａ"
)
CHINESE += ["<|zh|>"]

TRANSLATED = _pieces(
    "the|The|end.|end|U.S.|U.S|1,200.50|1990-1995|$5|5%|5|.|,|-|—|well-known|&quot;|&amp;|&amp;quot;|&lt;b&gt;|&|"
    '"|“|”|(a)|[b]|a/b|a@b.c|3,50|€|3.|.5|,a|a,|..|,,|.,a|1.a|a.1|-5|5-|<skipped>|<skip<skipped>ped>|è|…|!|?!|'
    "x_y|players'|{|~|`|^|的|学|。|，|、|￥|Ａ|𠮷|的a|a的.|5的-|\u2014|\u3000|\u00a0x"
)
TRANSLATED += ["\n", "-\n", "\t", "\u2028"]

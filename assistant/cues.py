"""The words by which a question shows what it leans on and what it asks for, in English, Chinese and Cantonese."""

from __future__ import annotations

import re


def cues(phrases: str, *, start: bool = False) -> re.Pattern[str]:
    """A pattern that finds any of the phrases, which are regular expressions parted by ` | ` or a line's end; with `start` only at the beginning.

    English phrases match whole words, without regard to case; a space matches any run of white space.
    """
    parts = [part.strip() for line in phrases.splitlines() for part in line.split(" | ") if part.strip()]
    whole = [re.sub(r" ", r"\\s+", part) for part in parts]
    bounded = [rf"\b(?:{part})\b" if part[0].isascii() and part[0] != "(" else part for part in whole]
    return re.compile(("^" if start else "") + f"(?:{'|'.join(bounded)})", re.IGNORECASE)


_THINGS = (
    "scheme|programme|program|fund|body|company|firm|park|law|centre|center|tool|institute|team|office|project|committee|sandbox|chatbot|bill|"
    "guideline|framework|model|system|pilot|plan|cluster|lab|university|survey|figure|number(?! one)"
)
# "this January", "this year": a time, not a thing.
_TIMES = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December|spring|summer|autumn|winter|week|month|months|quarter|year|years|decade|"
    "time|morning|Monday|Friday|Budget|Policy Address)"
)
_THINGS_CHINESE = "計劃|计划|基金|機構|机构|公司|中心|辦公室|園區|法例|條例|工具|系統|政策|學院|研究院|委員會|小組|模型|項目|平台|院校|大學"

PRONOUN = cues(
    rf"""
    its | their | his | her | it | they | them | (?:this|these|those)(?! {_TIMES}) | he | she | him
    that (?:one|{_THINGS}) | the (?:same|former|latter|{_THINGS})
    佢哋 | 佢地 | 佢 | 它們 | 它们 | 它 | 他們 | 她
    (?:呢|嗰|這|这|那|(?<![唔應应])該|(?<![應应])该|此)(?:個|个|間|间|條|条|隻|只|項|项|份|啲|些)?(?:{_THINGS_CHINESE})?
    """
)
# "that company", "they": what the last answer brought up rather than what the question was about.
POINTS_AT_ANSWER = cues(
    rf"that (?:one|{_THINGS}) | they | them | those | these | he | she | him | his | her | 佢哋 | 佢地 | 他們 | (?:嗰|那)(?:個|间|間|啲|些)"
)
POSSESSIVE = cues("its | their | his | her")

LEAD = cues(r"(?:and|so|ok|okay|then|but|also|well|thanks|thank you|right|hmm|oh)[\s,.!]+ | (?:咁|噉|那麼|那|同埋|另外|仲有)[，,]?", start=True)
WHAT_ABOUT = cues(
    r"""
    (?:and |so |ok |then |but )?(?:what|how) about | (?:and|or) (?!how|what|when|who|where|which|why|is|are|does|do|did|can|will|has|have)
    same (?:question )?(?:for|about)
    """,
    start=True,
)
WHAT_ABOUT_CHINESE = re.compile(r"^(?:咁|噉|那麼|那么|那|而|同埋|仲有)?(?P<x>.{1,24}?)(?:呢|又如何|又點|又點樣)[？?！!。]*$")
CORRECTION = cues(
    r"""
    (?:no+|sorry|oops|wait|actually)[\s,.!:—-]+(?:i (?:meant|mean|was asking about|am asking about|asked about)|not [\w' ]+?,)
    (?:no+|not (?:that|this)(?: one)?)[\s,.!:—-]+ | i (?:meant|mean)
    not [^.!?,]{1,40}[,.!:—-]+ (?:(?:my (?:mistake|bad)|sorry)[\s,.!]+)?(?:but )?i (?:meant|mean|was asking about)
    (?:唔係|不是|不對|錯咗|搞錯)[,，。 ]*(?:我(?:係|是)?(?:指|問緊|問|講緊|想問|說)(?:的|嘅)?(?:是|係)?)?
    """,
    start=True,
)
SWITCH = cues(
    r"""
    (?:on (?:a )?)?(?:different|another|new|separate|unrelated) (?:thing|topic|question|subject|note|matter)\b[^:：,，—-]*[:：,，—-]
    changing (?:the )?(?:topic|subject)[^:：,，—-]*[:：,，—-] | something else[:：,，—-] | unrelated(?: question)?[:：,，—-]
    (?:另外(?:想)?(?:問|一提)?|轉(?:個|一個)?話題|換個話題|講第二樣嘢|問第二樣)[:：,，]?
    """,
    start=True,
)
BACK = cues("(?:going )?back to | returning to | return to | 返去 | 返到 | 回到 | 說回(?!來) | 说回(?!来) | 講返 | 讲返 | 返轉頭")
# A message that goes back begins so, and says to `what`, up to a comma or the like; the `rest` is then asked of that.
GOES_BACK = re.compile(
    rf"(?:(?:ok|okay|so|and|now|well|right|but|let's|let us|can we|go|going|get|好|咁|明白?|那|嗯)[\s,，.。]*)*{BACK.pattern}"
    r"\s*(?P<what>[^,，:：;；。?？—]{0,40}?)(?:[,，:：;；。—]|\.\s)\s*(?P<rest>.*\w.*)",
    re.IGNORECASE | re.DOTALL,
)
# In Chinese, words for "the one of just now", which name nothing.
OF_JUST_NOW = re.compile("剛才|刚才|頭先|之前|前面|先前|(?:嗰|那|這|这)(?:個|个|樣|样|間|间)?|[的嘅]")
_NUMBER = "(?:number|figure|count|data|statement|information|answer)s?"
_NUMBER_CHINESE = "(?:資料|资料|數字|数字|數據|数据)"
_WHEN_CHINESE = "(?:幾時|何時|几时|邊年|哪年|什麼時候|甚麼時候|什么时候)"
# What asks when or where the last answer was said, and no more.
OF_ANSWER = cues(
    rf"""
    (?:and )?(?:as of when|since when is that)(?: (?:is|was) (?:it|this|that))? | says who | who (?:says|said) (?:so|that|this)
    (?:and )?how (?:old|recent|current|fresh|up to date) (?:is|are) (?:this|that|these|those|the|your) {_NUMBER}
    (?:and )?(?:the |your )?(?:source|sources|reference|link|citation)(?: (?:please|pls))? | where (?:does|did) (?:this|that|it) come from
    (?:and )?(?:what|which)(?:'s| is| was) (?:the |your )?source(?: (?:of|for) (?:this|that|it))? | where(?:'s| is| are) (?:this|that|these|the) {_NUMBER} from
    (?:and )?(?:what|which) (?:date|year) is (?:this|that|the) {_NUMBER} from | when (?:was|is) (?:this|that) (?:said|reported|counted)
    {_NUMBER_CHINESE}?(?:來源|来源|出處|出处)(?:係|是|在)?(?:邊度|邊|哪裡|哪裏|哪里|哪兒|什麼|甚麼|什么|乜|呢)?[呀啊呢㗎]?
    (?:呢個|這個|这个|以上)?{_NUMBER_CHINESE}(?:係|是)?{_WHEN_CHINESE}(?:嘅|的)?{_NUMBER_CHINESE}?[呀啊呢㗎]* | 截至{_WHEN_CHINESE}[呀啊呢㗎]*
    """
)
_PARTS = "phase|batch|round|cohort|year|quarter|half|edition|stage"
_CHOICES = f"(?: (?:one|of (?:them|these|those)|option|name|topic|thing|subject|{_THINGS}))"
ORDINAL = cues(
    rf"""
    the (?P<before>(?:one )?before last|last but one|second to last|second last){_CHOICES}?
    the (?P<en>first|1st|second|2nd|third|3rd|fourth|4th|fifth|former|latter)(?! (?:\w+ )?(?:{_PARTS})){_CHOICES}?
    the (?P<last>last){_CHOICES} | (?<!the\s)number (?P<number>two|three|four|five)(?! (?:in|of|for)\b)
    (?P<zh>第一|第二|第三|第四|第五|最後)(?:個|間|项|項|條|隻|种|種)(?!月|季|階段|期|批|年) | (?P<pair>前者|後者)
    """
)
ORDINALS = {
    "first": 0,
    "1st": 0,
    "second": 1,
    "2nd": 1,
    "third": 2,
    "3rd": 2,
    "fourth": 3,
    "4th": 3,
    "fifth": 4,
    "last": -1,
    "one before last": -2,
    "before last": -2,
    "last but one": -2,
    "second to last": -2,
    "second last": -2,
    "two": 1,
    "three": 2,
    "four": 3,
    "five": 4,
    "former": 0,
    "latter": -1,
    "第一": 0,
    "第二": 1,
    "第三": 2,
    "第四": 3,
    "第五": 4,
    "最後": -1,
    "前者": 0,
    "後者": -1,
}
LATEST = cues(
    """
    latest | newest | most recent | recently | current | currently | now | nowadays | today | so far
    to date | at present | at the moment | these days | up to date
    最新 | 而家 | 現在 | 目前 | 依家 | 現時 | 至今 | 迄今 | 最近 | 今日 | 现在 | 现时
    """
)
# The month in which the yearly address is given: the Budget at the end of February, the Policy Address in September or October.
_LAST, _LAST_CHINESE = "(?:since|after) (?:the|this year's) (?:last |latest |recent |new )?", "(?:上次|最近|最新|今次|今年).{0,4}"
SINCE_ADDRESS = (
    (cues(f"{_LAST}Budget | {_LAST_CHINESE}預算案(?:之後|以來|後)"), 2),
    (cues(f"{_LAST}Policy Address | {_LAST_CHINESE}施政報告(?:之後|以來|後)"), 10),
)
YEARS_AGO = (
    (cues("the year before last | 前年"), 2),
    (cues("last year | a year ago | 去年 | 舊年 | 上年"), 1),
    (cues("this year | 今年 | 本年"), 0),
)
COMPARE = cues(
    """
    difference | differences | differ | differs | different from | compare | compared | comparison | versus | vs | distinguish | rather than | same as | or just
    分別 | 分别 | 區別 | 区别 | 比較 | 比较 | 對比 | 对比 | 唔同 | 不同
    """
)
# With names joined: what asks to set them beside one another.
EACH = cues(
    """
    each | both | either | respectively | set against | the same
    which (?:one|of (?:them|these|those|the two)|came|gives|pays|got|may|has|had|is|was)
    各自 | 兩者 | 两者 | 各有 | 邊個(?:先|較|多|大|早|好|高|長) | 邊間(?:先|較|多|大|早) | 哪個 | 哪一個 | 哪一間 | 定係 | 還是 | 还是
    """
)
# What joins two names of which one is to be chosen, and what joins them otherwise.
OR = re.compile(r"[\s,]*(?:\bor\b|\bvs\b\.?|\bversus\b|定係|定|還是|还是|抑或|或者|或)(?:\s+(?:the|an?))?\s*", re.IGNORECASE)
AND = re.compile(r"(?:['’]s?)?[\s,]*(?:,|、|&|\band\b|與|与|和|同埋|同|及|跟)(?:\s+(?:the|an?))?\s*", re.IGNORECASE)
MADE_OF = re.compile(r"\s+(?:vs\.?|versus|and|or)\s+|與|与|和|同|及", re.IGNORECASE)
# What a sentence may open with before a name in capitals.
OPENS = re.compile(r"^(?:(?:Is|Are|Was|Were|Does|Do|Did|Has|Have|Should|Can|Could|Will|Which|What|Who|Compare|Between|The)\s+)*")
TIMELINE = cues(
    """
    timeline | chronology | history of | key milestones | over the years | how (?:has|have) .{2,60} (?:changed|developed|evolved|grown)
    時間線 | 时间线 | 時序 | 歷程 | 历程 | 大事記 | 歷年 | 历年 | 里程碑 | 來龍去脈 | 演變 | 由開始到而家
    """
)
LIST = cues(
    r"""
    list | name (?:the|all|some|a few|two|three|four|five) | who are | examples? of | any \w+s | what else
    which (?:\w+ ){0,2}\w+s | what (?:are|were) (?:the|all|some)
    what (?:\w+ ){0,2}(?:schemes|funds|grants|programmes|kinds|types|ways|areas|tools|uses|steps|requirements|companies)
    有哪些 | 有哪幾 | 有边些 | 有邊啲 | 有咩.{0,6}(?:計劃|資助|公司|機構|項目) | 列出 | 哪些 | 哪幾 | 邊幾 | 邊啲 | 邊間
    """
)
FIGURE = cues(
    r"""
    how (?:much|many|long|large|big|old|far|fast|often|high|soon) | when | since when | cost | costs | price | budget
    what (?:year|date|share|percentage|proportion|amount|number|rank) | (?:maximum|minimum|ceiling|cap|limit)
    幾多 | 多少 | 幾時 | 何時 | 幾耐 | 多久 | 幾大 | 百分之 | 上限 | 金額 | 幾錢 | 哪一年 | 邊年 | 第幾 | 几多 | 何时
    """
)
ABOUT = cues(
    r"""
    (?:so )?(?:what(?:'s| is| are| was)|who(?:'s| is| are)|tell me (?:more )?about|explain|describe|introduce|give me (?:an )?overview of)
    乜嘢係 | 什麼是 | 甚麼是 | 什么是 | 介紹 | 简介 | 簡介 | 講下 | 說說
    .{2,30}(?:係咩|是什麼|是甚麼|是什么|係乜|係乜嘢)[嚟㗎呀啊?？]*$
    """,
    start=True,
)
_GET = "(?:apply|get|join|register|enrol|enroll|obtain|receive|access|qualify|sign up|use|claim)"
_GET_CHINESE = "(?:申請|申请|攞|拎|取得|參加|参加|加入|報名|报名|登記|登记|使用|獲得|获得)"
# How something is got or joined, and what a statement says of that: for whom it is, and what is to be done.
HOW_TO = cues(
    rf"""
    how (?:do|does|can|could|should|would|might|must) (?:i|we|you|one|someone|people|my|our|an?|the)\b.{{0,60}}?\b{_GET} | how to {_GET}
    (?:steps|procedure|process) (?:to|for|of) (?:apply|applying|application|joining|getting)
    (?:點|點樣|如何|怎樣|怎麼|怎么|怎样)(?:先|才)?(?:可以|能夠|能)?(?:先|去)?{_GET_CHINESE} | (?:申請|申请|報名|报名)(?:方法|程序|流程|手續|手续|步驟|步骤)
    """
)
FOR_WHOM = cues(
    r"""
    eligible | eligibility | open to | (?:may|can|could) apply | must (?:be|have|hold) | qualify | qualifies | only for | restricted to
    applicants? (?:must|need|should|are|may|can) | 合資格 | 資格 | 申請人(?:須|必須|要|可) | 申請者 | 可申請 | 可以申請 | 可以報名 | 對象 | 開放予 | 限於
    """
)
TO_DO = cues(
    r"""
    appl(?:y|ies|ied|ication|ications) | submit(?:s|ted)? | submission | deadline | form | portal | online | interviews? | vett?(?:s|ed|ing)? | selects?
    selected | approves? | approved | 申請 | 遞交 | 提交 | 截止 | 表格 | 網上 | 面試 | 評審 | 審批 | 批核 | 報名 | 登記
    """
)
# What is answered by yes or no; "can you tell me" and "is there any" ask for more.
YES_NO = cues(
    r"""
    (?:(?:so|and|but|then|ok|okay) )?(?:is|are|was|were|does|do|did|has|have|had|must|may|should|will|would|can|could) (?!you\b|there\b)\w+
    """,
    start=True,
)
YES_NO_CHINESE = re.compile(r"是否|是不是|係咪|係唔係|會不會|會唔會|可唔可以|可不可以|能不能|能否|可否|使唔使|需不需要|需唔需要|[嗎吗咩嘛麼]\s*[?？]?\s*$")
ENGLISH = cues(
    """
    the | a | an | is | are | was | were | what | which | who | how | when | where | why | does | do | did | can
    of | for | and | to | about | tell | give | list | it | i | any
    """
)
ASKS_FOR_NAME = cues("which | who | whose | what (?:company|body|scheme|university|firm|fund|law|programme) | 邊個 | 邊間 | 哪 | 誰 | 谁")
IN_ENGLISH = cues("in english | english please | english pls | 用英文 | 英文答")
IN_CHINESE = cues("in chinese | chinese please | 用中文 | 中文答")
# Where one message may go from one question to the next, and what makes a piece of it a question.
JOINT = re.compile(
    r"[?？;；\n]\s*|(?:,\s*|\s+)(?:and|or|but|also|then)\s+(?:also\s+)?|[,，。]\s*(?:同埋|仲有|以及|而)?|(?<=[a-z])[.!]\s+|\s[-–—]\s", re.IGNORECASE
)
ASKS = cues(
    r"""
    how | who | whom | whose | what | whats | when | where | which | why
    幾錢 | 几钱 | 幾(?!乎) | 几(?!乎) | 何 | 邊(?:個|間|啲|度|位|年|日|樣|方面) | 哪 | 誰 | 谁 | 點(?:樣|解|計|(?=做|申|攞)) | 怎 | 多少 | 咩 | 乜 | 甚麼
    什麼 | 什么 | 嗎 | 吗 | 有冇 | 有沒有 | 係咪 | 是否 | 是不是 | 可唔可以 | 能否 | 第幾 | 多久 | 幾時
    """
)
# What a Chinese question may have besides, whatever it is about.
FUNCTION_WORDS = re.compile("一個|可以|能夠|能够|需要|應該|应该|使用|而家|現在|现在|[用要會会能有係是的嘅咗了啊呀呢喎吖得去俾畀同和與与]")
# What asks for a language, and no more.
SPEAK = cues(
    r"""
    (?:(?:sorry|ok|okay|and)[\s,]+)?(?:now )?(?:in )?(?:english|chinese)(?:,? (?:please|pls))[\s,.!:;—-]*
    (?:(?:could|can) you )?(?:please )?(?:answer|reply|respond)(?: me)? in (?:english|chinese)(?: (?:please|pls))?[\s,.!?:;—-]*
    (?:請|请|唔該|麻煩)?(?:你)?(?:改)?用(?:返)?(?:中文|英文)(?:答|回答|講|說)?(?:我|先)?[\s,，。.!！?？:：]*
    """,
    start=True,
)
OWN_DOCUMENTS = cues(
    r"""
    (?:the|these|those|both|my|our|your) (?:two )?(?:articles?|documents?|files?|uploads?|reports? i (?:added|uploaded))
    (?:my|our) (?:own )?(?:reports?|notes|pdfs?|papers?) | what i (?:added|uploaded)
    (?:呢|這|这)(?:兩)?(?:篇|份|些|啲)(?:文章|文件|文檔) | (?:我|我們|我哋)(?:的|嘅)?(?:文件|文章|文檔|報告) | 上載(?:的|嘅)?(?:文件|文章)
    """
)

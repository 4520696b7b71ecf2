"""What is said without a search: to a greeting, to thanks, and when asked about the assistant itself."""

from __future__ import annotations

import re
from typing import Literal

from assistant.cues import cues
from corpus.text import Lang

Manner = Literal["greeting", "thanks", "farewell", "self"]

_YOU, _PARTICLE = "(?:you|u)", "(?:呀|㗎|啊|呢)?"
_WHAT = "(?:啲|些)?(?:咩|乜嘢|乜|什麼|什么|甚麼)(?:嘢)?"
# Each must be the whole of a piece of the message, so that a question behind a greeting is still answered.
_GREETING = cues(
    """
    (?:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day))(?: (?:there|all|hkai|everyone|again))*
    how are you(?: today| doing)? | how do you do | hkai
    你好(?:呀|啊|嗎|吗)? | 您好 | 哈囉 | 哈喽 | 早晨 | 早上好 | 早安 | 午安 | 晚上好 | 喂
    """
)
_THANKS = cues(
    """
    (?:ok |okay |great |perfect |cool )?(?:many )?(?:thanks|thank you|thx|ty|cheers)(?: (?:a lot|so much|very much|a million|again|for (?:your|the) help|hkai))*
    ok | okay | great | good | nice | perfect | cool | wow | got it | i see | that(?:'s| is| was) (?:very |really |so )?(?:helpful|useful|great|all)
    (?:very |really )?helpful | you(?:'re| are) (?:a |an |the |so |very |really )*(?:star|legend|lifesaver|best|great|amazing|awesome|angel|genius|helpful|kind)
    多謝(?:晒|曬|你|您|咗)* | 唔該(?:晒|曬|你)* | 謝謝(?:你|您)? | 谢谢(?:你|您)? | 感謝(?:你|您)? | 辛苦(?:晒|曬|你)*
    [好很](?:有用|清楚|詳細|详细|好) | 明白(?:晒|曬|了)?
    """
)
_FAREWELL = cues("(?:good)?bye(?: bye)?(?: for now)? | good night | see you(?: later| soon)? | 再見 | 再见 | 拜拜 | 晚安")
_SELF = cues(
    rf"""
    (?:so )?(?:who|what) (?:are|r) {_YOU}(?: exactly)? | what(?: is|'s) (?:your name|hkai)(?: about)? | who is hkai
    are you (?:a |an )?(?:ai|bot|robot|human|chatbot|person|real)(?: person)? | (?:how )?(?:can|could) {_YOU} help(?: me)?
    (?:so )?what (?:can|could|do|will) {_YOU} (?:do|know|ask|answer|cover|help (?:me )?with)(?: (?:for me|about|you|here))*
    what (?:topics|subjects|questions|languages|things) (?:can|do) {_YOU} (?:know|answer|cover|ask|speak|understand)(?: you| about)?
    how do {_YOU} work | how do i use you | what do you know(?: about)?
    where (?:do|does) (?:you|your) (?:get your )?(?:answers|information|data|facts) (?:come )?from
    你(?:係|是)(?:邊個|誰|谁|{_WHAT}(?:嚟)?){_PARTICLE} | 你叫{_WHAT}(?:名|名字)?{_PARTICLE}
    你(?:係|是)(?:唔係|不是)?(?:AI|機械人|机器人|真人)(?:嚟)?(?:㗎|嗎|吗|呀)?
    你(?:可以|能|能夠|識|會|会|可唔可以)(?:做|幫|帮|答|回答|解答|講)?(?:我|到我|到)?(?:做)?{_WHAT}(?:問題|问题)?{_PARTICLE}
    你(?:知道?|懂){_WHAT}{_PARTICLE} | 我可以問(?:你)?{_WHAT}(?:問題)?{_PARTICLE} | 你有{_WHAT}功能{_PARTICLE}
    (?:你)?可唔可以幫(?:我|下我|吓我)
    """
)
# Of the assistant only where nothing was talked of before.
_SELF_AT_FIRST = cues(
    """
    what(?: is|'s) this(?: about)? | help(?: me)? | what (?:can|could) (?:i|this) (?:do|ask)(?: (?:about|you|here))*
    how do(?:es)? (?:i|it|this) (?:work|use (?:this|it))
    what (?:topics|subjects|questions|things) can i ask(?: you| about)* | 點用 | 怎樣用 | 怎么用 | 使用方法
    """
)
_MANNERS: tuple[tuple[Manner, re.Pattern[str]], ...] = (("thanks", _THANKS), ("farewell", _FAREWELL), ("self", _SELF), ("greeting", _GREETING))
# What may stand about the words: punctuation, emoji, a polite particle.
_AROUND = re.compile(r"^[\W_]+|[\W_]+$")
_POLITE = re.compile(r"\s+(?:please|pls|la|lah|ah)$", re.IGNORECASE)
LONGEST = 200

SAID: dict[Lang, dict[Manner, str]] = {
    "en": {
        "greeting": "Hello. Ask me about Hong Kong's AI ecosystem: grants and computing power, research, parks and companies, rules, talent, "
        "or any sector's use of AI.",
        "thanks": "You are welcome. Ask on whenever you like.",
        "farewell": "Goodbye, and good luck.",
        "self": "I am hkai. I answer questions about Hong Kong's AI ecosystem in English and Chinese: funding, computing power, research, parks, "
        "companies, rules, talent and sectors' use of AI. What I say comes from {texts} texts made from public pages and kept up to {date}; each sentence "
        "shows its page and as of when. When I know no answer, I say so.",
    },
    "zh": {
        "greeting": "你好。歡迎查詢香港人工智能生態的問題，例如資助與算力、科研、園區與企業、法規、人才，以及各行業的應用。",
        "thanks": "不用客氣，歡迎隨時再問。",
        "farewell": "再見，祝一切順利。",
        "self": "我是 hkai，以中文或英文解答香港人工智能生態的問題，包括資助、算力、科研、園區、企業、法規、人才，以及各行業的應用。"
        "答案出自 {texts} 篇根據公開網頁編寫、更新至 {date} 的文章，每句都列明出處和資料日期；不知道的，我會直說。",
    },
}
EXAMPLES: dict[Lang, tuple[str, ...]] = {
    "en": (
        "What does the AI Subsidy Scheme pay for?",
        "How powerful is Cyberport's AI Supercomputing Centre?",
        "What is the difference between NIFS and NIAS?",
        "Which law in Hong Kong applies to AI?",
        "How are public hospitals using AI?",
        "How many people came under the Top Talent Pass Scheme?",
    ),
    "zh": (
        "人工智能資助計劃資助甚麼？",
        "數碼港超算中心有幾多算力？",
        "新型工業化資助計劃同新型工業加速計劃有咩分別？",
        "香港有沒有專門規管人工智能的法例？",
        "公立醫院點樣應用人工智能？",
        "高才通批咗幾多宗申請？",
    ),
}


def manner(message: str, *, first: bool = False) -> Manner | None:
    """Which of these a message is, all of it; none if it asks for something else. `first`: nothing was said before it."""
    if len(message) > LONGEST:
        return None
    pieces = (_AROUND.sub("", piece) for piece in re.split(r"[,.!?;，。！？；\n]+", message.replace("’", "'")))
    parts = [_POLITE.sub("", piece) for piece in pieces if piece]
    known = [*_MANNERS, ("self", _SELF_AT_FIRST)] if first else _MANNERS
    found = [next((name for name, pattern in known if pattern.fullmatch(part)), None) for part in parts]
    if not found or None in found:
        return None
    return "self" if "self" in found else found[0]

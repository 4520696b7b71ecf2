"""The page's wording, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.manners import EXAMPLES
from corpus.text import Lang


@dataclass(frozen=True, slots=True)
class Phrases:
    """Every word of the page that is not part of an answer."""

    tagline: str
    intro: str
    placeholder: str
    send: str
    stop: str
    clear: str
    sources: str
    no_sources: str
    searched_for: str
    as_of: str
    published: str
    open_page: str
    no_link: str
    page: str
    own_document: str
    preparing: str
    failed: str
    examples_title: str
    try_next: str
    mode_quotes: str
    mode_model: str
    kinds: dict[str, str]
    examples: tuple[str, ...]


ENGLISH = Phrases(
    tagline="Answers about Hong Kong's AI ecosystem. Every sentence shows the public page that says so, and as of when.",
    intro="Ask about grants, computing power, research, parks, companies, rules, talent or any sector's use of AI. Click a number to see the source.",
    placeholder="Ask about Hong Kong's AI ecosystem, in English or Chinese…",
    send="Ask",
    stop="Stop",
    clear="New conversation",
    sources="Sources",
    no_sources="The sources of an answer appear here, each with the quoted sentence marked.",
    searched_for="Searched for",
    as_of="As of",
    published="published",
    open_page="Open the page",
    no_link="Only a copy of this page was seen, so there is no link.",
    page="page",
    own_document="Your own document",
    preparing="One moment: the index is being prepared ({step}).",
    failed="The answer could not be finished: {message}",
    examples_title="Examples",
    try_next="Ask next",
    mode_quotes="Answers are quoted word for word from the sources. Set HKAI_MODEL and OPENAI_BASE_URL to have a language model write them.",
    mode_model="Answers are written by {model} and checked against the sources sentence by sentence.",
    kinds={"official": "official", "established": "press and others", "copy": "seen as a copy", "own": "your own"},
    examples=EXAMPLES["en"],
)

CHINESE = Phrases(
    tagline="解答香港人工智能生態的問題，每句都列明公開出處及資料日期。",
    intro="可查詢資助、算力、科研、園區、企業、法規、人才，以及各行業的人工智能應用。按句末數字可看出處。",
    placeholder="用中文或英文發問，例如：人工智能資助計劃資助甚麼？",
    send="發問",
    stop="停止",
    clear="新對話",
    sources="資料出處",
    no_sources="答案的出處會在此顯示，所引句子以顏色標示。",
    searched_for="搜尋內容",
    as_of="截至",
    published="發布於",
    open_page="開啟網頁",
    no_link="此資料只見於轉載，故不附連結。",
    page="頁",
    own_document="你的文件",
    preparing="請稍候，正在準備索引（{step}）。",
    failed="未能完成答案：{message}",
    examples_title="試問",
    try_next="接著可問",
    mode_quotes="答案逐字引用資料原句。設定 HKAI_MODEL 及 OPENAI_BASE_URL 後，可由語言模型撰寫。",
    mode_model="答案由 {model} 撰寫，並逐句與出處核對。",
    kinds={"official": "官方", "established": "媒體及其他", "copy": "見於轉載", "own": "自己的文件"},
    examples=EXAMPLES["zh"],
)

PHRASES: dict[Lang, Phrases] = {"en": ENGLISH, "zh": CHINESE}

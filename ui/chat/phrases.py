"""The page's wording, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.manners import EXAMPLES
from corpus.text import Lang


@dataclass(frozen=True, slots=True)
class Phrases:
    """Every word of the conversation, and of what all pages share, that is not part of an answer."""

    lang: str
    skip: str
    pages: dict[str, str]
    dark: str
    light: str
    welcome: str
    intro: str
    known: str
    audiences: tuple[str, ...]
    examples_title: str
    examples: tuple[str, ...]
    placeholder: str
    send: str
    stop: str
    new: str
    conversation: str
    sources: str
    source: str
    no_sources: str
    close: str
    searched_for: str
    edit_search: str
    search_again: str
    edit: str
    ask_again: str
    ask_from_here: str
    cancel: str
    regenerate: str
    copy: str
    copied: str
    about_answer: str
    helpful: str
    not_helpful: str
    why: str
    reasons: dict[str, str]
    thanks: str
    as_of: str
    published: str
    on_page: str
    no_link: str
    kinds: dict[str, str]
    preparing: str
    working: str
    done: str
    stopped: str
    failed: str
    troubles: dict[str, str]
    try_again: str
    lost: str
    gone: str
    left_out: str
    faults: tuple[tuple[str, str], ...]
    nearest: str
    try_next: str
    scope: str
    scopes: dict[str, str]
    past: str
    today: str
    yesterday: str
    look_for: str
    none_yet: str
    none_found: str
    rename: str
    keep: str
    remove: str
    removed: str
    undo: str
    share: str
    link: str
    copy_link: str
    unshare: str
    exports: dict[str, str]
    printed: str
    copy_of: str
    mode_quotes: str
    mode_model: str


ENGLISH = Phrases(
    lang="en",
    skip="Skip to the question",
    pages={"": "Ask", "library": "Library", "quality": "Quality"},
    dark="Dark",
    light="Light",
    welcome="What would you like to know about AI in Hong Kong?",
    intro="Each sentence of an answer is numbered; the number opens the public page that says so, with its date. What is not known is said to be so.",
    known="{texts} texts and {statements} statements from {publishers} publishers, with facts up to {date}.",
    audiences=("For companies", "For engineers", "For manufacturers", "For lawyers", "For patients", "For newcomers"),
    examples_title="Six questions to begin with",
    examples=EXAMPLES["en"],
    placeholder="Ask in English or Chinese…",
    send="Ask",
    stop="Stop",
    new="New conversation",
    conversation="Conversation",
    sources="Sources",
    source="Source",
    no_sources="The sources of an answer appear here, the quoted sentence marked in its paragraph.",
    close="Close",
    searched_for="Searched for",
    edit_search="Change what is searched for",
    search_again="Search again",
    edit="Edit the question",
    ask_again="Ask again",
    ask_from_here="Ask again, in place of all from here on",
    cancel="Cancel",
    regenerate="Answer again",
    copy="Copy with sources",
    copied="Copied",
    about_answer="This answer",
    helpful="Good answer",
    not_helpful="Poor answer",
    why="What was wrong?",
    reasons={"wrong": "It is wrong", "old": "It is out of date", "beside": "It misses my question", "source": "The source does not say so"},
    thanks="Thank you, noted.",
    as_of="as of",
    published="published",
    on_page="page {page}",
    no_link="Only a copy of this page was seen, so there is no link.",
    kinds={"official": "official", "established": "press and others", "copy": "seen as a copy", "own": "your own"},
    preparing="One moment: the index is being prepared ({step}).",
    working="Looking through the sources",
    done="The answer is complete. Sources: {count}.",
    stopped="Stopped before the end.",
    failed="The answer could not be finished: {message} {remedy}",
    troubles={},
    try_again="Try again",
    lost="The connection to the server is lost. The page reconnects by itself; what is saved stays.",
    gone="There is no such conversation; it may have been deleted.",
    left_out="Left out here, as its source did not bear it out: “{sentence}” ({reason})",
    faults=(),
    nearest="Nearest that I can answer",
    try_next="Ask next",
    scope="Ask",
    scopes={"both": "Everything", "corpus": "Public pages only", "own": "My documents only"},
    past="Conversations",
    today="Today",
    yesterday="Yesterday",
    look_for="Search conversations",
    none_yet="Your conversations are kept here, for this browser only.",
    none_found="No conversation holds these words.",
    rename="Rename",
    keep="Keep",
    remove="Delete",
    removed="“{title}” was deleted.",
    undo="Undo",
    share="Share",
    link="Whoever has this link can read the conversation as it is now",
    copy_link="Copy the link",
    unshare="Stop sharing",
    exports={"md": "Markdown", "html": "Print"},
    printed="From hkai, {date}",
    copy_of="A read-only copy. Answers were given on the date shown and do not change.",
    mode_quotes="Answers are quoted word for word from the sources. For a language model to write them, set HKAI_MODEL with OPENAI_BASE_URL or OPENAI_API_KEY.",
    mode_model="Answers are written by {model} and checked against the sources sentence by sentence.",
)

CHINESE = Phrases(
    lang="zh",
    skip="跳到提問欄",
    pages={"": "提問", "library": "資料庫", "quality": "質素"},
    dark="深色",
    light="淺色",
    welcome="想了解香港人工智能的甚麼？",
    intro="答案逐句編號，按數字即可查看出處網頁及日期。不知道的，會直接說明。",
    known="收錄 {texts} 篇文章、{statements} 句資料，出自 {publishers} 個發布機構，資料截至 {date}。",
    audiences=("企業", "工程師", "製造商", "法律界", "病人", "新來港人士"),
    examples_title="不妨由這六條問題開始",
    examples=EXAMPLES["zh"],
    placeholder="用中文或英文發問……",
    send="發問",
    stop="停止",
    new="新對話",
    conversation="對話",
    sources="資料出處",
    source="出處",
    no_sources="答案的出處會在此顯示，所引句子在原段落中標示。",
    close="關閉",
    searched_for="搜尋內容",
    edit_search="更改搜尋內容",
    search_again="重新搜尋",
    edit="修改問題",
    ask_again="重新發問",
    ask_from_here="重新發問（取代此後各題）",
    cancel="取消",
    regenerate="重新作答",
    copy="連同出處複製",
    copied="已複製",
    about_answer="這個答案",
    helpful="答得好",
    not_helpful="答得不好",
    why="有甚麼問題？",
    reasons={"wrong": "內容有誤", "old": "資料過時", "beside": "答非所問", "source": "出處沒有這樣說"},
    thanks="多謝，已記下。",
    as_of="截至",
    published="發布於",
    on_page="第 {page} 頁",
    no_link="此資料只見於轉載，故不附連結。",
    kinds={"official": "官方", "established": "媒體及其他", "copy": "見於轉載", "own": "自己的文件"},
    preparing="請稍候，正在準備索引（{step}）。",
    working="正在查閱資料",
    done="答案已完成，共 {count} 個出處。",
    stopped="已中途停止。",
    failed="未能完成答案：{message}{remedy}",
    troubles={
        "bad_input": "問題未能處理，請修改後再試。",
        "too_large": "問題太長，請縮短後再試。",
        "not_ready": "索引仍未準備好，請稍後再試。",
        "model": "語言模型未能作答，請稍後再試。",
        "document": "文件未能讀取。",
        "not_found": "找不到這個對話，可能已在另一分頁刪除。",
        "store": "對話資料庫暫時未能使用，請稍後再試。",
        "broken": "作答時出錯，請再試一次。",
    },
    try_again="再試",
    lost="與伺服器的連線已中斷，頁面會自動重新連線；已儲存的內容不受影響。",
    gone="找不到這個對話，可能已刪除。",
    left_out="此處略去未獲出處證實的句子：「{sentence}」（{reason}）",
    faults=(
        (r"cites nothing", "沒有引用出處"),
        (r"(.+) is not in what it cites", r"「\1」不見於所引出處"),
        (r"it denies something that its source does not", "所否定的內容，出處並無否定"),
        (r"its meaning is far from what it cites", "意思與所引出處相去甚遠"),
    ),
    nearest="我能解答的相近問題",
    try_next="接著可問",
    scope="查詢範圍",
    scopes={"both": "全部資料", "corpus": "只限公開資料", "own": "只限自己的文件"},
    past="對話紀錄",
    today="今天",
    yesterday="昨天",
    look_for="搜尋對話",
    none_yet="對話會儲存在此，只有這個瀏覽器可以看到。",
    none_found="沒有對話包含這些字詞。",
    rename="重新命名",
    keep="儲存",
    remove="刪除",
    removed="已刪除「{title}」。",
    undo="復原",
    share="分享",
    link="有此連結者均可閱覽對話現時的內容",
    copy_link="複製連結",
    unshare="停止分享",
    exports={"md": "Markdown", "html": "列印"},
    printed="來自 hkai，{date}",
    copy_of="這是唯讀副本；答案以所示日期為準，不會更改。",
    mode_quotes="答案逐字引用資料原句。如要由語言模型撰寫，請設定 HKAI_MODEL，連同 OPENAI_BASE_URL 或 OPENAI_API_KEY。",
    mode_model="答案由 {model} 撰寫，並逐句與出處核對。",
)

PHRASES: dict[Lang, Phrases] = {"en": ENGLISH, "zh": CHINESE}


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def dated(day: str, words: Phrases) -> str:
    """A date as far as it is known (`2024`, `2024-12` or `2024-12-09`) as the language writes it; anything else as it is."""
    if not re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2])(-\d\d)?)?", day):
        return day
    year, month, number = (*map(int, day.split("-")), 0, 0)[:3]
    if words.lang == "zh":
        return f"{year}年" + (f"{month}月" if month else "") + (f"{number}日" if number else "")
    return " ".join(([str(number)] if number else []) + ([_MONTHS[month - 1]] if month else []) + [str(year)])


def worded(reason: str, wordings: Sequence[tuple[str, str]]) -> str:
    """A reason in the wording of the first pattern that it fits; as it is where it fits none."""
    for pattern, said in wordings:
        if re.fullmatch(pattern, reason):
            return re.sub(pattern, said, reason)
    return reason

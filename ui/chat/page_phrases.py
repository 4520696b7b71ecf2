"""The wording of the library and of the page on quality, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass

from corpus.text import Lang


@dataclass(frozen=True, slots=True)
class PagePhrases:
    """Every word of the two pages that is not in a text."""

    title: str
    lead: str
    look_for: str
    topic: str
    publisher: str
    language: str
    since: str
    any: str
    languages: dict[str, str]
    topics: dict[str, str]
    counted: str
    none: str
    choose: str
    updated: str
    statements: str
    pages: str
    own: str
    own_lead: str
    drop: str
    reading: str
    added: str
    refused: str
    too_many: str
    too_large: str
    remove: str
    removed: str
    not_removed: str
    closed: str
    no_own: str
    refusals: tuple[tuple[str, str], ...]
    quality: str
    quality_lead: str
    kind: str
    cases: str
    right: str
    first: str
    five: str
    rank: str
    kinds: dict[str, str]
    measured: str


_EN_TOPICS = {
    "challenges": "Challenges", "companies": "Companies", "comparisons": "Comparisons", "compute": "Computing power", "education": "Education",
    "finance": "Finance", "funding": "Funding", "government": "Government", "healthcare": "Health care", "law": "Law", "logistics": "Logistics",
    "overview": "Overview", "parks": "Parks", "privacy": "Privacy", "public-services": "Public services", "rankings": "Rankings", "research": "Research",
    "smart-city": "Smart city", "talent": "Talent", "timeline": "Timeline", "universities": "Universities", "own": "Your documents",
}  # fmt: skip
_ZH_TOPICS = {
    "challenges": "挑戰", "companies": "企業", "comparisons": "比較", "compute": "算力", "education": "教育", "finance": "金融", "funding": "資助",
    "government": "政府", "healthcare": "醫療", "law": "法律", "logistics": "物流", "overview": "概覽", "parks": "園區", "privacy": "私隱",
    "public-services": "公共服務", "rankings": "排名", "research": "科研", "smart-city": "智慧城市", "talent": "人才", "timeline": "大事年表",
    "universities": "大學", "own": "自己的文件",
}  # fmt: skip

ENGLISH = PagePhrases(
    title="Library",
    lead="Everything that answers are made from. Open a text to read its statements, each with the pages that say so.",
    look_for="Words in title or text",
    topic="Topic",
    publisher="Publisher",
    language="Language",
    since="Facts since",
    any="All",
    languages={"en": "English", "zh": "Chinese"},
    topics=_EN_TOPICS,
    counted="{count} texts",
    none="No text fits. Take a filter away.",
    choose="Choose a text to read it here.",
    updated="updated {date}",
    statements="{count} statements",
    pages="{count} pages",
    own="Your documents",
    own_lead="PDF, Word, PowerPoint, HTML, Markdown or text, up to {mb} MB each. They are read on this server and sent nowhere else; "
    "everyone who uses this server can ask about them.",
    drop="Drop documents here",
    reading="{name}: being read…",
    added="{name}: added. {understood}",
    refused="{name}: not added, because {reason}.",
    too_many="These are {count} documents; add at most {most} at a time.",
    too_large="{name}: not added, because it is larger than {mb} MB.",
    remove="Remove {name}",
    removed="{name}: removed.",
    not_removed="{name}: not removed, because {reason}.",
    closed="On this server documents are changed over the endpoint only (/v1/documents), with an API key; everyone who uses it can ask about them.",
    no_own="None yet.",
    refusals=(),
    quality="Quality",
    quality_lead="How {cases} test questions are answered without a language model, by kind. A question is right when it is answered from the right statement, "
    "or declined where nothing is known.",
    kind="Kind of question",
    cases="Questions",
    right="Right",
    first="Right statement first",
    five="Among the first five",
    rank="Mean reciprocal rank",
    kinds={
        "single": "One fact", "list": "Lists", "compare": "Comparisons", "temporal": "Times and changes", "followup": "Follow-ups",
        "chinese": "In Chinese", "colloquial": "In everyday words", "near_miss": "Close, but not known", "offtopic": "Other subjects",
        "injection": "Attempts to mislead", "own_documents": "Own documents", "dev": "Used while building", "test": "Kept aside", "all": "All",
    },
    measured="Measured by `make eval`, which fails when a figure falls. The sets and their format are in evals/.",
)  # fmt: skip

CHINESE = PagePhrases(
    title="資料庫",
    lead="答案全部出自這裏的文章。開啟任何一篇，即可逐句閱讀並查看出處。",
    look_for="標題或內文字詞",
    topic="主題",
    publisher="發布機構",
    language="語言",
    since="資料日期自",
    any="全部",
    languages={"en": "英文", "zh": "中文"},
    topics=_ZH_TOPICS,
    counted="共 {count} 篇",
    none="沒有符合的文章，請放寬篩選條件。",
    choose="請選擇一篇文章，內容會在此顯示。",
    updated="更新於{date}",
    statements="{count} 句資料",
    pages="{count} 頁",
    own="自己的文件",
    own_lead="可加入 PDF、Word、PowerPoint、HTML、Markdown 或文字檔，每個不超過 {mb} MB。文件只在本伺服器讀取，不會傳往別處；"
    "使用本伺服器的人都可以查詢。",
    drop="將文件拖放到此處",
    reading="{name}：讀取中……",
    added="{name}：已加入。{understood}",
    refused="{name}：未能加入，原因是{reason}。",
    too_many="共有 {count} 個文件；每次最多加入 {most} 個。",
    too_large="{name}：未能加入，因為大於 {mb} MB。",
    remove="移除 {name}",
    removed="{name}：已移除。",
    not_removed="{name}：未能移除，原因是{reason}。",
    closed="本伺服器的文件只可憑 API 金鑰經端點（/v1/documents）加入或移除；使用本伺服器的人都可以查詢。",
    no_own="暫時沒有。",
    refusals=(
        (r"it is empty", "文件是空的"),
        (r"no text was found in (it|the page)", "找不到文字內容"),
        (r"it has (.+) MB; at most (.+) MB are read.*", r"文件有 \1 MB，上限是 \2 MB"),
        (r"it has more than (.+) characters", r"文件超過 \1 個字元"),
        (r"the PDF is encrypted and cannot be read", "PDF 已加密，無法讀取"),
        (r"the (.+) is damaged and cannot be read", r"\1 檔案已損毀，無法讀取"),
        (r"the file is damaged and cannot be read", "檔案已損毀，無法讀取"),
        (r"it unpacks to far more than its size and is refused", "解壓後遠大於檔案本身，不予接受"),
        (r"it is an archive, not a DOCX or PPTX document", "這是壓縮檔，不是 DOCX 或 PPTX 文件"),
        (r"it is not a document that can be read.*", "這不是可讀取的文件格式"),
        (r"it is not what its name says.*", "內容與檔名的格式不符"),
        (r"its text is in no known encoding", "文字編碼無法識別"),
    ),
    quality="質素",
    quality_lead="不用語言模型時，{cases} 條測試問題按類別的結果。以正確的句子作答，或對不知道的問題如實說明，才算答對。",
    kind="問題類別",
    cases="題數",
    right="答對",
    first="首句正確",
    five="首五句內",
    rank="平均倒數排名",
    kinds={
        "single": "單一事實", "list": "列舉", "compare": "比較", "temporal": "時間與變化", "followup": "追問", "chinese": "中文提問",
        "colloquial": "日常用語", "near_miss": "相近但未知", "offtopic": "其他話題", "injection": "誤導嘗試", "own_documents": "自己的文件",
        "dev": "開發時所用", "test": "另行保留", "all": "全部",
    },
    measured="以 `make eval` 量度，任何數字下跌即告不合格。題目及格式見 evals/。",
)  # fmt: skip

PAGE_PHRASES: dict[Lang, PagePhrases] = {"en": ENGLISH, "zh": CHINESE}

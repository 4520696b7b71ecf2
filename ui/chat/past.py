"""The list of conversations, and the bar above one, as safe HTML; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from assistant.transcripts import Conversation
from ui.chat.phrases import Phrases
from ui.chat.render import attribute, button, plain

# Days are those of Hong Kong.
HERE = ZoneInfo("Asia/Hong_Kong")


def past_html(
    conversations: Sequence[Conversation], words: Phrases, *, current: str, today: date, looked_for: str = "", removed: Conversation | None = None
) -> str:
    """The conversations by the day on which each was last written in; `removed` can be brought back."""
    parts = []
    if removed:
        undo = button("restore", words.undo)
        parts.append(
            f'<p class="removed" role="status" data-id="{attribute(removed.id)}">{words.removed.format(title=plain(_short(removed.title)))} {undo}</p>'
        )
    for day, listed in groupby(conversations, key=lambda one: one.updated.astimezone(HERE).date()):
        items = "".join(_item(one, words, current=one.id == current) for one in listed)
        parts.append(f"<h3>{day_named(day, today, words)}</h3><ul>{items}</ul>")
    if not conversations:
        parts.append(f'<p class="empty">{words.none_found if looked_for.strip() else words.none_yet}</p>')
    return f'<nav class="past" aria-label="{words.past}">{"".join(parts)}</nav>'


def bar_html(conversation: Conversation | None, words: Phrases, *, link: str = "") -> str:
    """The title of a conversation, with what can be done with all of it; `link` leads to its copy, where it has just been shared."""
    if conversation is None:
        return '<div class="bar"></div>'
    shared = ""
    if link:
        shared = (
            f'<div class="shared" role="status"><label>{words.link}<input readonly value="{attribute(link)}"></label>'
            f"{button('copy', words.copy_link, text=link, more=_done(words))}</div>"
        )
    sharing = button("publish", words.share) + (button("withdraw", words.unshare) if conversation.link else "")
    export = "".join(
        f'<a href="/export/{attribute(conversation.id)}.{form}?lang={words.lang}" target="_blank" rel="noopener">{name}</a>'
        for form, name in words.exports.items()
    )
    return (
        f'<div class="bar" data-id="{attribute(conversation.id)}"><h1 class="title">{plain(conversation.title)}</h1>'
        f'<div class="tools" role="group" aria-label="{words.conversation}">{sharing}{export}</div>{shared}</div>'
    )


def day_named(day: date, today: date, words: Phrases) -> str:
    """Today, yesterday, or the date."""
    ago = (today - day).days
    if ago <= 0:
        return words.today
    return words.yesterday if ago == 1 else day_written(day, words)


def day_written(day: date | datetime, words: Phrases) -> str:
    """A date as it is written in the language."""
    return f"{day.year}年{day.month}月{day.day}日" if words.lang == "zh" else f"{day.day} {day:%B %Y}"


def _item(one: Conversation, words: Phrases, *, current: bool) -> str:
    title = attribute(one.title)
    here = ' aria-current="true"' if current else ""
    return (
        f'<li data-id="{attribute(one.id)}"{" class=current" if current else ""}><a href="/?c={attribute(one.id)}" data-do="open"{here}>{plain(one.title)}</a>'
        f"{button('edit', words.rename, icon='edit', more=' aria-expanded=false')}"
        f'<form data-do="rename" hidden><input value="{title}" maxlength="120" aria-label="{attribute(words.rename)}">'
        f'<span class="row"><button type="submit" class="primary">{words.keep}</button>{button("cancel", words.cancel)}</span></form>'
        f"{button('remove', words.remove, icon='remove')}</li>"
    )


def _done(words: Phrases) -> str:
    return f' data-done="{attribute(words.copied)}"'


def _short(title: str) -> str:
    return title if len(title) <= 40 else f"{title[:39]}…"

"""The few icons of the page, drawn in lines of the text's colour."""

from __future__ import annotations


def _drawn(paths: str) -> str:
    return (
        '<svg viewBox="0 0 24 24" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" '
        f'stroke-linejoin="round" focusable="false">{paths}</svg>'
    )


ICONS = {
    "again": _drawn('<path d="M20 11a8 8 0 1 0-2.3 6.6"/><path d="M20 4v7h-7"/>'),
    "copy": _drawn('<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M5 15H4V5a1 1 0 0 1 1-1h10v1"/>'),
    "down": _drawn('<path d="M7 4v10l4 7a2.5 2.5 0 0 0 2-3l-1-4h6a2 2 0 0 0 2-2.3l-1-6A2 2 0 0 0 17 4H7"/><path d="M7 4H4v10h3"/>'),
    "edit": _drawn('<path d="M4 20h4L19 9l-4-4L4 16z"/><path d="m13.5 6.5 4 4"/>'),
    "remove": _drawn('<path d="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13"/>'),
    "up": _drawn('<path d="M7 20V10l4-7a2.5 2.5 0 0 1 2 3l-1 4h6a2 2 0 0 1 2 2.3l-1 6a2 2 0 0 1-2 1.7H7"/><path d="M7 20H4V10h3"/>'),
}

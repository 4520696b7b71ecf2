"""The chat page: its pages put together and mounted."""

from __future__ import annotations

import warnings
from pathlib import Path

import gradio as gr
from fastapi import FastAPI

from assistant.build import Parts
from ui.chat.conversation import ConversationPage
from ui.chat.library import LibraryPage
from ui.chat.origin import SameOrigin
from ui.chat.phrases import PHRASES
from ui.chat.quality import QualityPage
from ui.chat.routes import add_routes
from ui.chat.shell import Shell
from ui.chat.visitor import Visitors
from ui.http import Readiness

HERE = Path(__file__).parent
FONT = ["system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK HK", "PingFang HK", "Microsoft JhengHei", "sans-serif"]
PAGES = frozenset(f"/{path}" for path in PHRASES["en"].pages)
# What search engines and other sites tell of the pages.
ABOUT = "Answers about Hong Kong's AI ecosystem, each sentence with the public page that says so and its date. 香港人工智能問答，逐句附出處及日期。"
HEAD = f'<meta name="description" content="{ABOUT}"><meta property="og:title" content="hkai"><meta property="og:description" content="{ABOUT}">'
# Seconds after which a file that was sent and then left is deleted.
STALE = 3600


def mount(app: FastAPI, parts: Parts, readiness: Readiness) -> FastAPI:
    """`app` with the chat page at `/`; nothing on the page asks any other host."""
    with gr.Blocks(title="hkai", analytics_enabled=False, fill_height=True, fill_width=True, delete_cache=(STALE, STALE)) as blocks:
        ConversationPage(parts, readiness).draw(blocks)
    with blocks.route("Library", "library", show_in_navbar=False):
        LibraryPage(parts).draw(blocks)
    with blocks.route("Quality", "quality", show_in_navbar=False):
        QualityPage().draw(blocks)
    add_routes(app, parts)
    app.add_middleware(SameOrigin, below="/gradio_api/")
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    app.add_middleware(Shell, paths=PAGES, head=f"{HEAD}<script>{script}</script>")
    app.add_middleware(Visitors, paths=PAGES)
    theme = gr.themes.Base(font=FONT, font_mono=["ui-monospace", "monospace"], primary_hue="teal", neutral_hue="stone", radius_size="sm")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="SSR mode is not supported")  # nor was it asked for
        gr.mount_gradio_app(
            app, blocks, path="/", theme=theme, head=f"<style>{style}</style>", show_error=False, footer_links=[], ssr_mode=False,
            pwa=False, run_history=False, max_file_size=int(parts.settings.max_file_mb * 1_000_000),
        )  # fmt: skip
    return app

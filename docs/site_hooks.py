"""How pages differ on the site: links that leave `docs/` are names of files there.

Read in a clone, a link to a model card or to a config leads there. The site holds `docs/` alone.
"""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, **others: Any) -> str:
    """Called for each page, before it is rendered."""
    del others
    if "/" in page.file.src_uri:  # from a folder, what is above is within
        return markdown
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)

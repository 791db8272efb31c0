"""A hook of MkDocs: names for screen readers where the theme and the API's page have none."""

from typing import Any, Final

NAMELESS: Final = {
    'data-md-component="search" role="dialog"': 'aria-label="Search"',
    '<iframe class="swagger-ui-iframe"': 'title="The API, call by call"',
}


def on_post_page(output: str, **_: Any) -> str:
    """Return the page with these names."""
    for start, name in NAMELESS.items():
        output = output.replace(start, f"{start} {name}")
    return output


def on_post_template(output: str, template_name: str, **_: Any) -> str:
    """Return the page for broken links with these names."""
    return on_post_page(output) if template_name == "404.html" else output

"""The app's name and mark as SVG, so that nothing has to be fetched to draw them."""

_MARK = (
    '<g fill="none" stroke="#0072B2" stroke-width="2.6" stroke-linecap="round">'
    '<path d="M3 9V4.5A1.5 1.5 0 0 1 4.5 3H9M19 3h4.5A1.5 1.5 0 0 1 25 4.5V9"/>'
    '<path d="M25 19v4.5a1.5 1.5 0 0 1-1.5 1.5H19M9 25H4.5A1.5 1.5 0 0 1 3 23.5V19"/></g>'
    '<circle cx="14" cy="14" r="4.6" fill="#0072B2"/>'
)

ICON = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 28 28" width="28" height="28">{_MARK}</svg>'
"""The mark alone: four corners of a box around a dot."""

LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 28" width="132" height="28">'
    "<style>text{fill:#1a2230;font:700 19px system-ui,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}"
    "@media(prefers-color-scheme:dark){text{fill:#e6eaef}}</style>"
    f'{_MARK}<text x="34" y="21" textLength="94" lengthAdjust="spacingAndGlyphs">Boxscope</text></svg>'
)
"""The mark and the name, for light and dark."""

STYLE = """<style>
.stMainBlockContainer { padding: 1.5rem 2.25rem 3rem; max-width: 1840px; }
[data-testid=stSidebarUserContent] { padding-bottom: 2rem; }
[data-testid=stSidebarUserContent] [data-testid=stVerticalBlock] { gap: 0.5rem; }
[data-testid=stSidebarUserContent] [data-testid=stSlider] { margin-bottom: -0.5rem; }
[class*=st-key-chart-] { position: relative; }
[class*=st-key-chart-] > [data-testid=stElementContainer]:has([data-testid=stDownloadButton]) {
  position: absolute; top: 0; right: 0; width: auto !important; z-index: 2; opacity: 0.35; }
[class*=st-key-chart-]:hover > [data-testid=stElementContainer]:has([data-testid=stDownloadButton]),
[class*=st-key-chart-] > [data-testid=stElementContainer]:focus-within { opacity: 1; }
[class*=st-key-chart-] [data-testid=stDownloadButton] button { min-height: 0; padding: 0.1rem; }
[class*=st-key-chart-] [data-testid=stDownloadButton] [data-testid=stMarkdownContainer] {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
</style>"""
"""A denser sidebar and narrower margins than Streamlit's own: all sliders are in sight on a laptop."""

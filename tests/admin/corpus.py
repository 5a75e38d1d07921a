"""Texts that want to be more than text. What they would bring to a page has `kiqx` in its name."""

from itertools import zip_longest

ADDRESSES = (
    # what is dangerous only at the begin of an address
    "javascript:kiqx(13)",
    "JaVaScRiPt&colon;kiqx(14)",
    "java\tscript:kiqx(15)",
    "data:text/html,<script>kiqx(16)</script>",
    "//kiqx.example/17",
    "https://kiqx.example/18",
    "\\\\kiqx.example\\19",
    "../../../kiqx40?a=<kiqx40>#b",
    "#kiqx46,<kiqx46>",
    "?kiqx=47#<kiqx47>",
)
MARKUP = (
    "<script>kiqx(1)</script>",
    "</script><script>kiqx(2)</script>",
    "<img src=x onerror=kiqx(3)>",
    '"><img src=x onerror=kiqx(4)>',
    "'><svg onload=kiqx(5)>",
    '" onmouseover="kiqx(6)',
    "' onfocus='kiqx(7)' autofocus='",
    "` onmouseover=kiqx(8) kiqx=`",
    "<svg><script>kiqx(9)</script></svg>",
    "<svg/onload=kiqx(10)>",
    "<math><mtext><mglyph><style><img src=x onerror=kiqx(11)>",
    '<a href="javascript:kiqx(12)">a</a>',
    "{{7*7}}{{ request.user.password }}<kiqx20>",
    "{% load kiq %}{% csrf_token %}{% debug %}<kiqx21>",
    "${7*7} #{7*7} <%= 7*7 %> <kiqx22>",
    "%s %(count)s %(name)d %% % <kiqx23>",
    "{0.__class__} {jid} {} {trace_id} <kiqx24>",
    "null\x00byte<kiqx25>",
    "\u202egnp.exe\u202c\u2066<kiqx26>",
    '"><kiqx27>' * 1_000,
    "\ufeff\u200b\u2028\u2029<kiqx28>",
    "<!--kiqx--><kiqx29>",
    "--><kiqx30>",
    "]]><kiqx31>",
    "</title></style></textarea></select></template><kiqx32>",
    '<iframe srcdoc="<script>kiqx(33)</script>">',
    "<form action=//kiqx.example><input name=kiqx34>",
    "<base href=//kiqx.example/35>",
    '<meta http-equiv=refresh content="0;url=//kiqx.example/36">',
    "<style>@import '//kiqx.example/37';</style>",
    "&lt;script&gt;kiqx(38)&lt;/script&gt;&#60;kiqx38&#62;",
    "line\r\nSet-Cookie: kiqx=39\r\n\r\n<kiqx39>",
    "<kiqx41 onclick=kiqx(41) style=position:fixed contenteditable>",
    "\uff1cscript\uff1ekiqx(42)\uff1c/script\uff1e<kiqx42>",
    "+ADw-script+AD4-kiqx(43)+ADw-/script+AD4-<kiqx43>",
    "\x1b[31m\x07\x9b<kiqx44>",
    "' OR 1=1; -- <kiqx45>",
)
TEXTS = (*ADDRESSES, *MARKUP)
_REST = (len(MARKUP) - len(ADDRESSES)) // 2
PAIRS = tuple(map(" ".join, zip_longest((*ADDRESSES, *MARKUP[:_REST]), MARKUP[_REST:], fillvalue="")))
"""All of them, two at a time: escaping knows no words, and pages take their time."""
HALF = "half a character \ud800<kiqx48>"
"""JSON of the wire cannot hold it, keys of Redis can, as bytes that are no UTF-8."""


def harmless(text: str) -> str:
    """A text of the same length and build: where one leads to an address, or is cut, the other does and is too."""
    kept = "/.%?#=: \r\n\t"
    return "".join(each if each.isalnum() or each in kept or not each.isprintable() else "x" for each in text)

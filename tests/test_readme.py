from pathlib import Path

from asmm_daemon.core.features import FEATURES

README = Path(__file__).parents[1] / "README.md"


def feature_table() -> str:
    """The table of features as the README shows it."""
    lines = [
        "| # | feature | definition | window | sign | unit | normalisation |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {i} | {' | '.join(cell.replace('|', '∣') for cell in row)} |" for i, row in enumerate(FEATURES, 1)
    ]
    return "\n".join(lines)


def test_the_readme_lists_every_feature_as_the_code_defines_it():
    """The README's table of features is the one in the code."""
    text = README.read_text()
    shown = text.split("<!-- features -->")[1].split("<!-- /features -->")[0].strip()
    assert shown == feature_table()

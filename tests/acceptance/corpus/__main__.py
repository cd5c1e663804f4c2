"""`python -m tests.acceptance.corpus`: run the corpus and write docs/inputs.md."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[2] / "docs" / "inputs.md"

if __name__ == "__main__":
    os.environ["CORPUS_TABLE"] = str(DOCUMENT)
    sys.exit(pytest.main([str(HERE), "-q"]))

"""What the recipes use where it is, and no clone holds: the settings of test/local-paths.ts, for Python."""
import os
from pathlib import Path

SHARED_DATA = Path(os.environ.get("PAIRMILL_SHARED_DATA") or Path(__file__).resolve().parent.parent.parent / "shared" / "data")

"""Writes sample-json.golden.json with Python's own json, as img2dataset writes the json member: python3 sample-json.golden.py"""
import json, pathlib

rows = [
    {},
    {"hash": -9223372036854775808, "record_offset": 9007199254740993, "width": 200, "height": 0, "exif": None, "wide": True},
    {"caption": "plain", "url": "https://a.test/?a=1&b=<2>'", "key": "000000000", "exif": "{\"Model\": \"X\\\\Y\"}"},
    {"caption": "quotes \" and \\ and / and \b\t\n\f\r", "control": "".join(chr(i) for i in range(32))},
    {"caption": "\x7e\x7f\x80\x9f\xa0", "text": "Häuschen 日本語 😀 👩‍👩‍👧", "lines": "\u2028\u2029\ufeff\uffff"},
    {"first": "\ud800", "second": "x\udc00y", "third": "\ude00\ud83d", "Schlüssel": 1},
    {"score": 0.25, "exact": 1.0, "zero": 0.0, "minus": -0.0, "float32": 0.30000001192092896},
    {"a": 0.0001, "b": 0.00012345, "c": 0.00001, "d": 1.5e-7, "e": -1e-5, "f": 5e-324, "g": 1.7976931348623157e308},
    {"a": 1e15, "b": 1e16, "c": 123456789012345680.0, "d": 1e21, "e": 1.2345678901234568e+20, "f": 9999999999999998.0, "g": -1e22, "h": 1e100},
    {"list": [], "object": {}, "nested": [1, "ä", {"a": None, "b": [True, False]}]},
]
cases = [{"row": row, "floats": [name for name, value in row.items() if isinstance(value, float)], "json": json.dumps(row, indent=4)} for row in rows]
path = pathlib.Path(__file__).with_name("sample-json.golden.json")
path.write_text("[\n" + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]\n")

"""Writes sample-hash.golden.json with Python's mmh3 (pip install mmh3): python sample-hash.golden.py"""
import json, pathlib, random
import mmh3

random.seed(1)
cases = [(None, None), ("", ""), (None, "text"), ("https://a.test/1.png", None), ("https://a.test/1.png", "a red apple"),
         ("https://a.test/ä.png", "ein Häuschen"), ("https://a.test/x", "😀 grinning face 👩‍👩‍👧"), ("https://a.test/日本", "日本語の説明"),
         ("", "\x00"), ("a\x00", "b")]
cases += [("", "".join(random.choice("abcdefghijklmnopqrstuvwxyz /.:-_%0123456789") for _ in range(n))) for n in range(41)]
cases += [("u" * n, "ÿ" * (40 - n)) for n in range(41)]
cases += [("https://a.test/" + "x" * 485, "é" * 250)]  # 1000 bytes
cases += [("https://a.test/" + "".join(chr(random.randrange(0x20, 0xd7ff)) for _ in range(n * 7)), "".join(chr(random.randrange(0x10000, 0x10ffff)) for _ in range(n))) for n in range(20)]
rows = []
for url, text in cases:
    data = ((url or "") + (text or "")).encode("utf-8")
    first, second = mmh3.hash64(data)  # seed 0, x64, signed
    rows.append({"url": url, "text": text, "hash": str(first), "second": str(second)})
# A lone surrogate: Python refuses to encode it; we hash U+FFFD as any utf-8 writer stores it. What the bytes of
# "surrogatepass" (ED A0 80) would hash to is kept, to show that it is another number.
for url, text in [("https://a.test/\ud800", "x"), ("https://a.test/1", "\udc00 y"), ("\ud83d", "\ude00")]:
    data = ((url.encode("utf-16", "surrogatepass").decode("utf-16", "replace")) + (text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))).encode("utf-8")
    first, second = mmh3.hash64(data)
    rows.append({"url": url, "text": text, "hash": str(first), "second": str(second),
                 "surrogatepass": str(mmh3.hash64(url.encode("utf-8", "surrogatepass") + text.encode("utf-8", "surrogatepass"))[0])})
path = pathlib.Path(__file__).with_name("sample-hash.golden.json")
path.write_text("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n")

"""One pass of cc2dataset's own extraction function over a WAT; prints JSON with CPU seconds."""
import json, resource, sys, time
from cc2dataset.main import extract_documents_from_wat
from io import BytesIO

with open(sys.argv[1], "rb") as file:
    start = time.process_time()
    links = extract_documents_from_wat(BytesIO(file.read()), "image")
    cpu = time.process_time() - start
print(json.dumps({"cpu": cpu, "rows": len(links), "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
if len(sys.argv) > 2:
    with open(sys.argv[2], "w") as out:
        json.dump([[link["url"], link["alt"]] for link in links], out)

"""CPU ms a picture of decode, resize and encode with OpenCV, as img2dataset calls it."""
import glob
import sys
import time

import cv2
import numpy as np
from opencv_picture import encoded, resized

folder, mode = sys.argv[1:3]
bodies = [np.fromfile(name, np.uint8) for name in sorted(glob.glob(folder + "/*.jpg"))]
cv2.setNumThreads(1)
for body in bodies[:20]:
    encoded(resized(body, mode)).tobytes()
before = time.process_time()
for body in bodies:
    encoded(resized(body, mode)).tobytes()
print((time.process_time() - before) * 1000 / len(bodies))

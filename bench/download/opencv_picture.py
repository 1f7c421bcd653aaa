"""What img2dataset makes of a picture with OpenCV: INTER_AREA, JPEG 95."""
import cv2

SIDE = 256


def resized(body, mode):
    """The pixels that are packed."""
    picture = cv2.imdecode(body, cv2.IMREAD_UNCHANGED)
    height, width = picture.shape[:2]
    scale = SIDE / (max if mode == "border" else min)(height, width)
    width, height = round(width * scale), round(height * scale)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    if mode == "border":
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        picture = cv2.copyMakeBorder(picture, top, SIDE - height - top, left, SIDE - width - left, cv2.BORDER_CONSTANT, value=[255, 255, 255])
    elif mode == "center_crop":
        top, left = (height - SIDE) // 2, (width - SIDE) // 2
        picture = picture[top : top + SIDE, left : left + SIDE]
    return picture


def encoded(picture):
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]

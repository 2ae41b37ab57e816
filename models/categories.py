"""The 21 categories of Pascal VOC.

The order is that of torchvision's COCO_WITH_VOC_LABELS_V1 and of every segmenter here.
"""

CATEGORIES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

#: The 20 categories that can be removed.
CLASSES = CATEGORIES[1:]

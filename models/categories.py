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

#: What people call a class, beside its own name; the plurals of all of them are understood too.
#: Only words that mean no more and no less than their class.
SYNONYMS = {
    "aeroplane": ("airplane", "plane", "aircraft"),
    "bicycle": ("bike",),
    "boat": ("ship",),
    "car": ("automobile", "auto"),
    "cow": ("cattle",),
    "diningtable": ("table",),
    "motorbike": ("motorcycle",),
    "person": ("people", "human"),
    "pottedplant": ("plant", "houseplant"),
    "sofa": ("couch", "settee"),
    "tvmonitor": ("tv", "television", "monitor"),
}

#: Words that mean more or less than a class, and the classes that somebody may mean by them.
#: Whoever types ``man`` would lose the women too: such words are suggestions, no synonyms.
RELATED = {
    **dict.fromkeys(("man", "men", "woman", "women", "boy", "girl", "guy"), ("person",)),
    **dict.fromkeys(("child", "children", "kid", "baby", "crowd", "face"), ("person",)),
    **dict.fromkeys(("tourist", "stranger", "pedestrian", "passerby"), ("person",)),
    **dict.fromkeys(("animal", "pet"), ("bird", "cat", "cow", "dog", "horse", "sheep")),
    "vehicle": ("bicycle", "bus", "car", "motorbike", "train"),
    **dict.fromkeys(("truck", "lorry", "van", "pickup"), ("car", "bus")),
    **dict.fromkeys(("cab", "taxi", "suv"), ("car",)),
    **dict.fromkeys(("tram", "streetcar"), ("train", "bus")),
    **dict.fromkeys(("scooter", "moped", "vespa"), ("motorbike", "bicycle")),
    **dict.fromkeys(("helicopter", "jet"), ("aeroplane",)),
    **dict.fromkeys(("yacht", "kayak", "canoe", "ferry"), ("boat",)),
    **dict.fromkeys(("furniture", "seat", "bench", "armchair", "stool"), ("chair", "sofa")),
    "desk": ("diningtable",),
    **dict.fromkeys(("flower", "flowerpot", "tree"), ("pottedplant",)),
    **dict.fromkeys(("screen", "display", "computer", "laptop"), ("tvmonitor",)),
    **dict.fromkeys(("puppy", "kitten"), ("dog", "cat")),
    **dict.fromkeys(("seagull", "pigeon", "duck", "chicken"), ("bird",)),
    **dict.fromkeys(("pony", "donkey"), ("horse",)),
    **dict.fromkeys(("lamb", "goat"), ("sheep",)),
    **dict.fromkeys(("bull", "ox", "calf"), ("cow",)),
}

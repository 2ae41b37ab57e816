"""The XMP properties that are kept, by namespace."""

from __future__ import annotations

import re

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XML = "http://www.w3.org/XML/1998/namespace"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"

_DOCUMENT = "http://ns.adobe.com/xap/1.0/mm/"
_REFERENCE = "http://ns.adobe.com/xap/1.0/sType/ResourceRef#"
_EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_DOCUMENTS = frozenset((_DOCUMENT, _REFERENCE, _EVENT))
_SETTINGS = "http://ns.adobe.com/camera-raw-settings/1.0/"

_ADDRESS = "CiAdrCity CiAdrCtry CiAdrExtadr CiAdrPcode CiAdrRegion CiEmailWork CiTelWork CiUrlWork"
_PLACE = (
    "City CountryCode CountryName LocationId LocationName ProvinceState Sublocation WorldRegion"
)

_COLOURS = ("Red", "Orange", "Yellow", "Green", "Aqua", "Blue", "Purple", "Magenta")
_HUES = " ".join(
    f"{kind}{colour}"
    for kind in ("GrayMixer", "HueAdjustment", "LuminanceAdjustment", "SaturationAdjustment")
    for colour in _COLOURS
)

#: (usual prefix, namespace, names of its properties and of their fields).
_KEPT = (
    (
        "dc",
        "http://purl.org/dc/elements/1.1/",
        "contributor coverage creator date description format identifier language publisher "
        "relation rights source subject title type",
    ),
    (
        "xmp",
        "http://ns.adobe.com/xap/1.0/",
        "CreateDate CreatorTool Identifier Label MetadataDate ModifyDate Nickname Rating",
    ),
    (
        "xmpRights",
        "http://ns.adobe.com/xap/1.0/rights/",
        "Certificate Marked Owner UsageTerms WebStatement",
    ),
    (
        "photoshop",
        "http://ns.adobe.com/photoshop/1.0/",
        "AuthorsPosition CaptionWriter Category City ColorMode Country Credit DateCreated "
        "Headline ICCProfile Instructions Source State SupplementalCategories "
        "TransmissionReference Urgency",
    ),
    (
        "Iptc4xmpCore",
        "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "AltTextAccessibility CountryCode CreatorContactInfo ExtDescrAccessibility "
        f"IntellectualGenre Location Scene SubjectCode {_ADDRESS}",
    ),
    (
        "Iptc4xmpExt",
        "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "AddlModelInfo DigImageGUID DigitalSourceType Event LocationCreated LocationShown "
        "MaxAvailHeight MaxAvailWidth ModelAge OrganisationInImageCode OrganisationInImageName "
        f"PersonInImage {_PLACE}",
    ),
    (
        "plus",
        "http://ns.useplus.org/ldf/xmp/1.0/",
        "CopyrightOwner CopyrightOwnerID CopyrightOwnerName DataMining ImageCreator "
        "ImageCreatorID ImageCreatorName ImageSupplierImageID Licensor LicensorEmail LicensorID "
        "LicensorName LicensorURL MinorModelAgeDisclosure ModelReleaseID ModelReleaseStatus "
        "PropertyReleaseID PropertyReleaseStatus Version",
    ),
    (
        "cc",
        "http://creativecommons.org/ns#",
        "attributionName attributionURL license morePermissions useGuidelines",
    ),
    (
        "tiff",
        TIFF,
        "Artist BitsPerSample Compression Copyright DateTime ImageDescription ImageLength "
        "ImageWidth Make Model Orientation PhotometricInterpretation PlanarConfiguration "
        "PrimaryChromaticities ReferenceBlackWhite ResolutionUnit SamplesPerPixel Software "
        "WhitePoint XResolution YCbCrCoefficients YCbCrPositioning YCbCrSubSampling YResolution",
    ),
    (
        "exif",
        EXIF,
        "ApertureValue BrightnessValue ColorSpace ComponentsConfiguration "
        "CompressedBitsPerPixel Contrast CustomRendered DateTimeDigitized DateTimeOriginal "
        "DigitalZoomRatio ExifVersion ExposureBiasValue ExposureIndex ExposureMode "
        "ExposureProgram ExposureTime FNumber FileSource Fired Flash FlashEnergy "
        "FlashpixVersion FocalLength FocalLengthIn35mmFilm FocalPlaneResolutionUnit "
        "FocalPlaneXResolution FocalPlaneYResolution Function GPSAltitude GPSAltitudeRef "
        "GPSAreaInformation GPSDOP GPSDestBearing GPSDestBearingRef GPSDestDistance "
        "GPSDestDistanceRef GPSDestLatitude GPSDestLongitude GPSDifferential "
        "GPSHPositioningError GPSImgDirection GPSImgDirectionRef GPSLatitude GPSLongitude "
        "GPSMapDatum GPSMeasureMode GPSProcessingMethod GPSSatellites GPSSpeed GPSSpeedRef "
        "GPSStatus GPSTimeStamp GPSTrack GPSTrackRef GPSVersionID GainControl "
        "ISOSpeedRatings ImageUniqueID LightSource MaxApertureValue MeteringMode Mode "
        "PixelXDimension PixelYDimension RedEyeMode RelatedSoundFile Return Saturation "
        "SceneCaptureType SceneType SensingMethod Sharpness ShutterSpeedValue "
        "SpectralSensitivity SubjectArea SubjectDistance SubjectDistanceRange SubjectLocation "
        "UserComment WhiteBalance",
    ),
    (
        "exifEX",
        "http://cipa.jp/exif/1.0/",
        "Acceleration BodySerialNumber CameraElevationAngle CameraFirmware CameraOwnerName "
        "CompositeImage CompositeImageCount Gamma Humidity ISOSpeed ISOSpeedLatitudeyyy "
        "ISOSpeedLatitudezzz ImageEditingSoftware ImageEditor ImageTitle InteroperabilityIndex "
        "LensMake LensModel LensSerialNumber LensSpecification MetadataEditingSoftware "
        "OffsetTime OffsetTimeDigitized OffsetTimeOriginal PhotographicSensitivity "
        "Photographer Pressure RAWDevelopingSoftware RecommendedExposureIndex SensitivityType "
        "StandardOutputSensitivity Temperature WaterDepth",
    ),
    (
        "aux",
        "http://ns.adobe.com/exif/1.0/aux/",
        "ApproximateFocusDistance DistortionCorrectionAlreadyApplied Firmware "
        "FlashCompensation ImageNumber LateralChromaticAberrationCorrectionAlreadyApplied Lens "
        "LensDistortInfo LensID LensInfo LensSerialNumber OwnerName SerialNumber "
        "VignetteCorrectionAlreadyApplied",
    ),
    (
        "xmpMM",
        _DOCUMENT,
        "DerivedFrom DocumentID History InstanceID OriginalDocumentID PreservedFileName "
        "RenditionClass VersionID",
    ),
    ("stRef", _REFERENCE, "documentID instanceID originalDocumentID renditionClass"),
    ("stEvt", _EVENT, "action changed instanceID parameters softwareAgent when"),
    (
        "crs",
        _SETTINGS,
        "AlreadyApplied AutoLateralCA BlueHue BlueSaturation Blacks2012 CameraProfile "
        "Clarity2012 ColorGradeBlending ColorGradeGlobalHue ColorGradeGlobalLum "
        "ColorGradeGlobalSat ColorGradeHighlightLum ColorGradeMidtoneHue ColorGradeMidtoneLum "
        "ColorGradeMidtoneSat ColorGradeShadowLum ColorNoiseReduction ColorNoiseReductionDetail "
        "ColorNoiseReductionSmoothness Contrast2012 ConvertToGrayscale CropAngle CropBottom "
        "CropConstrainToWarp CropLeft CropRight CropTop CurveRefineSaturation "
        "DefringeGreenAmount DefringeGreenHueHi DefringeGreenHueLo DefringePurpleAmount "
        "DefringePurpleHueHi DefringePurpleHueLo Dehaze Exposure2012 GrainAmount "
        "GrainFrequency GrainSize GreenHue GreenSaturation HDREditMode HasCrop HasSettings "
        "Highlights2012 LensManualDistortionAmount LensProfileEnable LensProfileFilename "
        "LensProfileName LensProfileSetup LuminanceNoiseReductionContrast "
        "LuminanceNoiseReductionDetail LuminanceSmoothing OverrideLookVignette ParametricDarks "
        "ParametricHighlightSplit ParametricHighlights ParametricLights ParametricMidtoneSplit "
        "ParametricShadowSplit ParametricShadows PerspectiveAspect PerspectiveHorizontal "
        "PerspectiveRotate PerspectiveScale PerspectiveUpright PerspectiveVertical "
        "PerspectiveX PerspectiveY PostCropVignetteAmount PostCropVignetteFeather "
        "PostCropVignetteHighlightContrast PostCropVignetteMidpoint PostCropVignetteRoundness "
        "PostCropVignetteStyle ProcessVersion RawFileName RedHue RedSaturation Saturation "
        "ShadowTint Shadows2012 SharpenDetail SharpenEdgeMasking SharpenRadius Sharpness "
        "SplitToningBalance SplitToningHighlightHue SplitToningHighlightSaturation "
        "SplitToningShadowHue SplitToningShadowSaturation Temperature Texture Tint "
        "ToneCurveName ToneCurveName2012 ToneCurvePV2012 ToneCurvePV2012Blue "
        "ToneCurvePV2012Green ToneCurvePV2012Red Version Vibrance VignetteAmount "
        f"WhiteBalance Whites2012 {_HUES}",
    ),
    ("lr", "http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject weightedFlatSubject"),
    ("digiKam", "http://www.digikam.org/ns/1.0/", "ColorLabel PickLabel TagsList"),
    (
        "MicrosoftPhoto",
        "http://ns.microsoft.com/photo/1.0/",
        "CameraSerialNumber DateAcquired LastKeywordIPTC LastKeywordXMP LensManufacturer "
        "LensModel Rating",
    ),
    (
        "GPano",
        "http://ns.google.com/photos/1.0/panorama/",
        "CaptureSoftware CroppedAreaImageHeightPixels CroppedAreaImageWidthPixels "
        "CroppedAreaLeftPixels CroppedAreaTopPixels ExposureLockUsed FirstPhotoDate "
        "FullPanoHeightPixels FullPanoWidthPixels InitialHorizontalFOVDegrees "
        "InitialViewHeadingDegrees InitialViewPitchDegrees InitialViewRollDegrees "
        "LargestValidInteriorRectHeight LargestValidInteriorRectLeft "
        "LargestValidInteriorRectTop LargestValidInteriorRectWidth LastPhotoDate "
        "PoseHeadingDegrees PosePitchDegrees PoseRollDegrees ProjectionType SourcePhotosCount "
        "StitchingSoftware UsePanoramaViewer",
    ),
)

#: Settings that are names; all others are numbers, switches or points of a curve.
_NAMED_SETTINGS = frozenset(
    (
        *("CameraProfile", "LensProfileFilename", "LensProfileName", "LensProfileSetup"),
        *("RawFileName", "ToneCurveName", "ToneCurveName2012", "WhiteBalance"),
    )
)
_NUMBER = re.compile(r"[+-]?\d{1,5}(?:\.\d{1,6})?|True|False|\d{1,3}, \d{1,3}")
#: Points of the longest curve.
_MOST_POINTS = 20
#: Hexadecimal digits that tell a document or one of its states apart.
_IDENTIFIER = re.compile(
    r"(?:(?:xmp\.[di]id|adobe:docid:[a-z]{4,11}|uuid|urn:uuid):)?"
    r"[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}"
)
#: Identifiers of one packet: all of them together are too short for a picture.
MOST_IDENTIFIERS = 16


def is_identifier(name: tuple[str, str], text: str) -> bool:
    """Whether a property's text identifies a document: it reads like no language, and may stay."""
    return name[0] in _DOCUMENTS and bool(_IDENTIFIER.fullmatch(text))


def are_settings(name: tuple[str, str], texts: list[str]) -> bool:
    """Whether the texts of a property of ``crs`` are what its name says; True for any other."""
    if name[0] != _SETTINGS or name[1] in _NAMED_SETTINGS:
        return True
    return len(texts) <= _MOST_POINTS and all(map(_NUMBER.fullmatch, texts))


#: Prefix by namespace.
PREFIXES = {namespace: prefix for prefix, namespace, _ in _KEPT}
#: Names of properties by namespace.
PROPERTIES = {namespace: frozenset(names.split()) for _, namespace, names in _KEPT}
#: Properties that state the picture's orientation, width and height.
ORIENTATION = (TIFF, "Orientation")
WIDTHS = ((TIFF, "ImageWidth"), (EXIF, "PixelXDimension"))
HEIGHTS = ((TIFF, "ImageLength"), (EXIF, "PixelYDimension"))

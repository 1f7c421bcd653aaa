/** Names of EXIF tags (CIPA DC-008), spelled as exifread, which img2dataset uses, spells them. */

const imageTags: Readonly<Record<number, string>> = {
  0x0100: 'ImageWidth', 0x0101: 'ImageLength', 0x0102: 'BitsPerSample', 0x0103: 'Compression', 0x0106: 'PhotometricInterpretation',
  0x010d: 'DocumentName', 0x010e: 'ImageDescription', 0x010f: 'Make', 0x0110: 'Model', 0x0112: 'Orientation', 0x0115: 'SamplesPerPixel',
  0x011a: 'XResolution', 0x011b: 'YResolution', 0x011c: 'PlanarConfiguration', 0x0128: 'ResolutionUnit', 0x012d: 'TransferFunction',
  0x0131: 'Software', 0x0132: 'DateTime', 0x013b: 'Artist', 0x013c: 'HostComputer', 0x013e: 'WhitePoint', 0x013f: 'PrimaryChromaticities',
  0x0211: 'YCbCrCoefficients', 0x0213: 'YCbCrPositioning', 0x0214: 'ReferenceBlackWhite', 0x4746: 'Rating', 0x8298: 'Copyright',
  0x829a: 'ExposureTime', 0x829d: 'FNumber', 0x8769: 'ExifOffset', 0x8822: 'ExposureProgram', 0x8824: 'SpectralSensitivity', 0x8825: 'GPSInfo',
  0x8827: 'ISOSpeedRatings', 0x8830: 'SensitivityType', 0x8832: 'RecommendedExposureIndex', 0x8833: 'ISOSpeed', 0x9000: 'ExifVersion',
  0x9003: 'DateTimeOriginal', 0x9004: 'DateTimeDigitized', 0x9010: 'OffsetTime', 0x9011: 'OffsetTimeOriginal', 0x9012: 'OffsetTimeDigitized',
  0x9101: 'ComponentsConfiguration', 0x9102: 'CompressedBitsPerPixel', 0x9201: 'ShutterSpeedValue', 0x9202: 'ApertureValue',
  0x9203: 'BrightnessValue', 0x9204: 'ExposureBiasValue', 0x9205: 'MaxApertureValue', 0x9206: 'SubjectDistance', 0x9207: 'MeteringMode',
  0x9208: 'LightSource', 0x9209: 'Flash', 0x920a: 'FocalLength', 0x9214: 'SubjectArea', 0x9290: 'SubSecTime', 0x9291: 'SubSecTimeOriginal',
  0x9292: 'SubSecTimeDigitized', 0x9c9b: 'XPTitle', 0x9c9c: 'XPComment', 0x9c9d: 'XPAuthor', 0x9c9e: 'XPKeywords', 0x9c9f: 'XPSubject',
  0xa000: 'FlashPixVersion', 0xa001: 'ColorSpace', 0xa002: 'ExifImageWidth', 0xa003: 'ExifImageLength', 0xa005: 'InteroperabilityOffset',
  0xa20e: 'FocalPlaneXResolution', 0xa20f: 'FocalPlaneYResolution', 0xa210: 'FocalPlaneResolutionUnit', 0xa217: 'SensingMethod',
  0xa300: 'FileSource', 0xa301: 'SceneType', 0xa401: 'CustomRendered', 0xa402: 'ExposureMode', 0xa403: 'WhiteBalance', 0xa404: 'DigitalZoomRatio',
  0xa405: 'FocalLengthIn35mmFilm', 0xa406: 'SceneCaptureType', 0xa407: 'GainControl', 0xa408: 'Contrast', 0xa409: 'Saturation', 0xa40a: 'Sharpness',
  0xa40c: 'SubjectDistanceRange', 0xa420: 'ImageUniqueID', 0xa430: 'CameraOwnerName', 0xa431: 'BodySerialNumber', 0xa432: 'LensSpecification',
  0xa433: 'LensMake', 0xa434: 'LensModel', 0xa435: 'LensSerialNumber',
};

const gpsTags: readonly string[] = [
  'GPSVersionID', 'GPSLatitudeRef', 'GPSLatitude', 'GPSLongitudeRef', 'GPSLongitude', 'GPSAltitudeRef', 'GPSAltitude', 'GPSTimeStamp', 'GPSSatellites',
  'GPSStatus', 'GPSMeasureMode', 'GPSDOP', 'GPSSpeedRef', 'GPSSpeed', 'GPSTrackRef', 'GPSTrack', 'GPSImgDirectionRef', 'GPSImgDirection', 'GPSMapDatum',
  'GPSDestLatitudeRef', 'GPSDestLatitude', 'GPSDestLongitudeRef', 'GPSDestLongitude', 'GPSDestBearingRef', 'GPSDestBearing', 'GPSDestDistanceRef',
  'GPSDestDistance', 'GPSProcessingMethod', 'GPSAreaInformation', 'GPSDate', 'GPSDifferential',
];

export type ExifDirectory = 'Image' | 'EXIF' | 'GPS';

export function exifTagName(directory: ExifDirectory, tag: number): string {
  const name = directory === 'GPS' ? gpsTags[tag] : imageTags[tag];
  return `${directory} ${name ?? `Tag 0x${tag.toString(16).toUpperCase().padStart(4, '0')}`}`;
}

export const orientationNames: readonly string[] = [
  '', 'Horizontal (normal)', 'Mirrored horizontal', 'Rotated 180', 'Mirrored vertical', 'Mirrored horizontal then rotated 90 CCW', 'Rotated 90 CW',
  'Mirrored horizontal then rotated 90 CW', 'Rotated 90 CCW',
];

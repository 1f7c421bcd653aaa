/**
 * What coded values of EXIF tags mean, by tag and value, in the words of exifread 3.0, which img2dataset uses
 * (exifread/tags/exif.py, BSD licence: NOTICE.md). Its spelling and its blanks are kept.
 */
export const exifWords: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  // SubfileType
  0x00fe: {
    0: 'Full-resolution Image',
    1: 'Reduced-resolution image',
    2: 'Single page of multi-page image',
    3: 'Single page of multi-page reduced-resolution image',
    4: 'Transparency mask',
    5: 'Transparency mask of reduced-resolution image',
    6: 'Transparency mask of multi-page image',
    7: 'Transparency mask of reduced-resolution multi-page image',
    65537: 'Alternate reduced-resolution image',
    4294967295: 'invalid ',
  },
  // OldSubfileType
  0x00ff: { 1: 'Full-resolution image', 2: 'Reduced-resolution image', 3: 'Single page of multi-page image' },
  // Compression
  0x0103: {
    1: 'Uncompressed',
    2: 'CCITT 1D',
    3: 'T4/Group 3 Fax',
    4: 'T6/Group 4 Fax',
    5: 'LZW',
    6: 'JPEG (old-style)',
    7: 'JPEG',
    8: 'Adobe Deflate',
    9: 'JBIG B&W',
    10: 'JBIG Color',
    32766: 'Next',
    32769: 'Epson ERF Compressed',
    32771: 'CCIRLEW',
    32773: 'PackBits',
    32809: 'Thunderscan',
    32895: 'IT8CTPAD',
    32896: 'IT8LW',
    32897: 'IT8MP',
    32898: 'IT8BL',
    32908: 'PixarFilm',
    32909: 'PixarLog',
    32946: 'Deflate',
    32947: 'DCS',
    34661: 'JBIG',
    34676: 'SGILog',
    34677: 'SGILog24',
    34712: 'JPEG 2000',
    34713: 'Nikon NEF Compressed',
    65000: 'Kodak DCR Compressed',
    65535: 'Pentax PEF Compressed',
  },
  // Orientation
  0x0112: {
    1: 'Horizontal (normal)',
    2: 'Mirrored horizontal',
    3: 'Rotated 180',
    4: 'Mirrored vertical',
    5: 'Mirrored horizontal then rotated 90 CCW',
    6: 'Rotated 90 CW',
    7: 'Mirrored horizontal then rotated 90 CW',
    8: 'Rotated 90 CCW',
  },
  // GrayResponseUnit
  0x0122: { 1: '0.1', 2: '0.001', 3: '0.0001', 4: '1e-05', 5: '1e-06' },
  // ResolutionUnit
  0x0128: { 1: 'Not Absolute', 2: 'Pixels/Inch', 3: 'Pixels/Centimeter' },
  // Predictor
  0x013d: { 1: 'None', 2: 'Horizontal differencing' },
  // CleanFaxData
  0x0147: { 0: 'Clean', 1: 'Regenerated', 2: 'Unclean' },
  // InkSet
  0x014c: { 1: 'CMYK', 2: 'Not CMYK' },
  // ExtraSamples
  0x0152: { 0: 'Unspecified', 1: 'Associated Alpha', 2: 'Unassociated Alpha' },
  // SampleFormat
  0x0153: { 1: 'Unsigned', 2: 'Signed', 3: 'Float', 4: 'Undefined', 5: 'Complex int', 6: 'Complex float' },
  // YCbCrPositioning
  0x0213: { 1: 'Centered', 2: 'Co-sited' },
  // ExposureProgram
  0x8822: {
    0: 'Unidentified',
    1: 'Manual',
    2: 'Program Normal',
    3: 'Aperture Priority',
    4: 'Shutter Priority',
    5: 'Program Creative',
    6: 'Program Action',
    7: 'Portrait Mode',
    8: 'Landscape Mode',
  },
  // SensitivityType
  0x8830: {
    0: 'Unknown',
    1: 'Standard Output Sensitivity',
    2: 'Recommended Exposure Index',
    3: 'ISO Speed',
    4: 'Standard Output Sensitivity and Recommended Exposure Index',
    5: 'Standard Output Sensitivity and ISO Speed',
    6: 'Recommended Exposure Index and ISO Speed',
    7: 'Standard Output Sensitivity, Recommended Exposure Index and ISO Speed',
  },
  // ComponentsConfiguration
  0x9101: { 0: '', 1: 'Y', 2: 'Cb', 3: 'Cr', 4: 'Red', 5: 'Green', 6: 'Blue' },
  // MeteringMode
  0x9207: { 0: 'Unidentified', 1: 'Average', 2: 'CenterWeightedAverage', 3: 'Spot', 4: 'MultiSpot', 5: 'Pattern', 6: 'Partial', 255: 'other' },
  // LightSource
  0x9208: {
    0: 'Unknown',
    1: 'Daylight',
    2: 'Fluorescent',
    3: 'Tungsten (incandescent light)',
    4: 'Flash',
    9: 'Fine weather',
    10: 'Cloudy weather',
    11: 'Shade',
    12: 'Daylight fluorescent (D 5700 - 7100K)',
    13: 'Day white fluorescent (N 4600 - 5400K)',
    14: 'Cool white fluorescent (W 3900 - 4500K)',
    15: 'White fluorescent (WW 3200 - 3700K)',
    17: 'Standard light A',
    18: 'Standard light B',
    19: 'Standard light C',
    20: 'D55',
    21: 'D65',
    22: 'D75',
    23: 'D50',
    24: 'ISO studio tungsten',
    255: 'other light source',
  },
  // Flash
  0x9209: {
    0: 'Flash did not fire',
    1: 'Flash fired',
    5: 'Strobe return light not detected',
    7: 'Strobe return light detected',
    9: 'Flash fired, compulsory flash mode',
    13: 'Flash fired, compulsory flash mode, return light not detected',
    15: 'Flash fired, compulsory flash mode, return light detected',
    16: 'Flash did not fire, compulsory flash mode',
    24: 'Flash did not fire, auto mode',
    25: 'Flash fired, auto mode',
    29: 'Flash fired, auto mode, return light not detected',
    31: 'Flash fired, auto mode, return light detected',
    32: 'No flash function',
    65: 'Flash fired, red-eye reduction mode',
    69: 'Flash fired, red-eye reduction mode, return light not detected',
    71: 'Flash fired, red-eye reduction mode, return light detected',
    73: 'Flash fired, compulsory flash mode, red-eye reduction mode',
    77: 'Flash fired, compulsory flash mode, red-eye reduction mode, return light not detected',
    79: 'Flash fired, compulsory flash mode, red-eye reduction mode, return light detected',
    89: 'Flash fired, auto mode, red-eye reduction mode',
    93: 'Flash fired, auto mode, return light not detected, red-eye reduction mode',
    95: 'Flash fired, auto mode, return light detected, red-eye reduction mode',
  },
  // ColorSpace
  0xa001: { 1: 'sRGB', 2: 'Adobe RGB', 65535: 'Uncalibrated' },
  // SensingMethod
  0xa217: {
    1: 'Not defined',
    2: 'One-chip color area',
    3: 'Two-chip color area',
    4: 'Three-chip color area',
    5: 'Color sequential area',
    7: 'Trilinear',
    8: 'Color sequential linear',
  },
  // FileSource
  0xa300: { 1: 'Film Scanner', 2: 'Reflection Print Scanner', 3: 'Digital Camera' },
  // SceneType
  0xa301: { 1: 'Directly Photographed' },
  // CustomRendered
  0xa401: { 0: 'Normal', 1: 'Custom' },
  // ExposureMode
  0xa402: { 0: 'Auto Exposure', 1: 'Manual Exposure', 2: 'Auto Bracket' },
  // WhiteBalance
  0xa403: { 0: 'Auto', 1: 'Manual' },
  // SceneCaptureType
  0xa406: { 0: 'Standard', 1: 'Landscape', 2: 'Portrait', 3: 'Night' },
  // GainControl
  0xa407: { 0: 'None', 1: 'Low gain up', 2: 'High gain up', 3: 'Low gain down', 4: 'High gain down' },
  // Contrast
  0xa408: { 0: 'Normal', 1: 'Soft', 2: 'Hard' },
  // Saturation
  0xa409: { 0: 'Normal', 1: 'Soft', 2: 'Hard' },
  // Sharpness
  0xa40a: { 0: 'Normal', 1: 'Soft', 2: 'Hard' },
};

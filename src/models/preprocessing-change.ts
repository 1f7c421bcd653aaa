/** What a user hears whose similarities and vectors were made before pictures were seen so (docs/models.md). */
export const PREPROCESSING_CHANGE =
  'models see CMYK and transparent pictures as CLIPProcessor does, and every other picture as before; for mini nothing has changed';

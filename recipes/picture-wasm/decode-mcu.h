/** To be called when decompression has started, before the first row: makes it decode by tables where the picture is for that. */
void decode_by_tables(j_decompress_ptr cinfo);

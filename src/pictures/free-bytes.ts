/**
 * Frees memory that nobody will read again, now and not when the garbage collector comes to it: it takes what lies outside of V8's heap for
 * a reason to mark the whole heap, and pixels are most of that. A part of a larger memory is left.
 */
export function freeBytes({ buffer, byteLength }: Uint8Array | Float32Array): void {
  // What went to another thread is no longer here: its length is 0.
  if (buffer instanceof ArrayBuffer && byteLength > 0 && byteLength === buffer.byteLength) buffer.transfer(0);
}

import type { LinkKind } from '../../formats/crawl-page.ts';
import type { ExtractOptions } from './options.ts';

type DocumentType = ExtractOptions['documentType'];

/** cc2dataset's lists: a link belongs to a type by the end of its URL as it is written, upper case not accepted. */
const extensions: Readonly<Partial<Record<DocumentType, readonly string[]>>> = {
  audio: ['ogg', 'wav', 'mp3', 'flac', 'm4a'],
  video: ['avi', 'mp4', 'mkv', 'webm', 'mov', 'mpg', 'mpeg', 'm4v'],
  text: ['pdf', 'epub', 'djvu', 'mobi', 'doc', 'docx', 'rtf', 'txt', 'odt', 'ppt', 'pptx', 'pages', 'keynote', 'wps', 'md'],
};

/** Which kinds of links are taken from a page. */
export function linkKind(type: DocumentType): LinkKind {
  return type === 'image' || type === 'image_only' ? 'image' : 'any';
}

export function isDocument(url: string, type: DocumentType): boolean {
  const list = extensions[type];
  return list === undefined || list.includes(url.slice(url.lastIndexOf('.') + 1));
}

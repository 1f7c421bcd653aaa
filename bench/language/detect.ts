import { readFileSync } from 'node:fs';
import { languageDetectors, type LanguageDetectorName, loadLanguageDetector } from '../../src/language/load-language-detector.ts';
import type { Detection } from './outcome-table.ts';

/**
 * One detector over a JSON file of texts, in a process of its own: `node detect.ts NAME FILE [shown|raw]`. Prints JSON: what it
 * found in each text without a threshold, CPU seconds, and the megabytes by which it made the process larger. `shown`: as
 * extract asks it; `raw`: the bare detector, given the text as it is.
 */
const [name = 'fasttext', file = '', mode = 'shown'] = process.argv.slice(2);
const texts = JSON.parse(readFileSync(file, 'utf8')) as string[];
const before = process.memoryUsage.rss();
const detector = mode === 'raw' ? await languageDetectors[name as LanguageDetectorName].load() : await loadLanguageDetector(name as LanguageDetectorName, 0);
const started = process.cpuUsage();
const detections: Detection[] = texts.map((text) => detector.detect(text) ?? { code: '', confidence: 1 });
const { user, system } = process.cpuUsage(started);
console.log(JSON.stringify({ detections, cpu: (user + system) / 1e6, mb: process.resourceUsage().maxRSS / 1024 - before / 1_048_576 }));

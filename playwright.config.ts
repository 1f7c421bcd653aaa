import { defineConfig } from '@playwright/test';
import { chromiumPath } from './e2e/chromium.ts';

export default defineConfig({
  testDir: 'e2e',
  // One server over one run folder.
  workers: 1,
  timeout: 60_000,
  reporter: 'line',
  outputDir: 'test-results',
  use: {
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    launchOptions: {
      ...(chromiumPath !== undefined && { executablePath: chromiumPath }),
      // Chromium refuses to start as root with its sandbox; only our own page is opened.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
});

import { join } from 'node:path';
import { expect, type Locator, type Page } from '@playwright/test';
import { readSamples } from '../src/formats/webdataset.ts';
import { readJson } from '../test/pipeline/demo-run.ts';
import { root } from '../test/pipeline/pairmill.ts';
import { labelsIn, test } from './served-run.ts';

const cards = (page: Page) => page.getByRole('list', { name: 'Results' }).getByRole('listitem');
const box = (page: Page) => page.getByRole('searchbox');

/** Waits for the results of the search that was just started. */
async function settled(page: Page): Promise<void> {
  await expect(page.getByRole('status')).toHaveText(/^\d+ results? in/);
}

/** Does what starts a search, and waits for its results: until they come, the last ones stay. */
async function searching(page: Page, start: () => Promise<unknown>): Promise<void> {
  const answered = page.waitForResponse((response) => response.url().includes('/api/v1/search'));
  await start();
  await answered;
  await settled(page);
}

async function searchText(page: Page, text: string): Promise<void> {
  await searching(page, async () => {
    await box(page).fill(text);
    await box(page).press('Enter');
  });
}

/** Keys of the pictures shown, best first. */
async function shownKeys(page: Page): Promise<string[]> {
  const sources = await cards(page)
    .locator('img')
    .evaluateAll((images) => images.map((image) => (image as { src: string }).src));
  return sources.map((source) => source.slice(source.lastIndexOf('/') + 1));
}

test('shows the right picture first, in several languages', async ({ page, run }) => {
  test.setTimeout(180_000);
  const languages = ['en', 'de', 'fr', 'ru', 'ja'];
  const shown = [...new Set(run.emojiOf.values())].sort();
  let asked = 0;
  let first = 0;
  let ten = 0;
  for (const [place, language] of languages.entries()) {
    const labels = await labelsIn(language);
    const known = shown.filter((emoji) => labels.has(emoji));
    for (let i = 0; i < 8; i++) {
      // Other emoji in each language: one that the model does not know must not count five times.
      const emoji = known[Math.floor(((i + (place + 0.5) / languages.length) * known.length) / 8)]!;
      await searchText(page, labels.get(emoji)!);
      const emojis = (await shownKeys(page)).map((key) => run.emojiOf.get(key));
      asked++;
      if (emojis[0] === emoji) first++;
      if (emojis.slice(0, 10).includes(emoji)) ten++;
    }
  }
  // As often as the model card says, less two standard deviations of a sample of 40.
  const found = `${first} first and ${ten} among ten of ${asked}`;
  const stated = await statedRecall(languages);
  expect(first / asked, found).toBeGreaterThan(stated.first - 0.15);
  expect(ten / asked, found).toBeGreaterThan(stated.ten - 0.12);
});

test('search by a picture of one’s own, and by that of a result', async ({ page, run }) => {
  const [key, picture] = await somePicture(run.runDir, run.emojiOf);
  await searching(page, () => page.locator('input[type=file]').setInputFiles({ name: 'mine.jpg', mimeType: 'image/jpeg', buffer: Buffer.from(picture) }));
  expect(run.emojiOf.get((await shownKeys(page))[0]!)).toBe(run.emojiOf.get(key));
  await expect(page.getByText('Your picture')).toBeVisible();

  await searching(page, () => cards(page).nth(1).getByRole('button', { name: 'Pictures like' }).click());
  await expect(page).toHaveURL(/\?like=-?\d+/);
  await expect(page.getByText('Pictures like this').first()).toBeVisible();
  await expect(page.getByText('Your picture')).toHaveCount(0);
});

test('search by a caption; the URL holds the search', async ({ page }) => {
  await searchText(page, 'flag');
  const caption = await cards(page).first().locator('button[title="Search by this caption"]').innerText();
  await searching(page, () => cards(page).first().locator('button[title="Search by this caption"]').click());
  await expect(box(page)).toHaveValue(caption);
  expect(new URL(page.url()).searchParams.get('q')).toBe(caption);
  const before = await shownKeys(page);
  await searching(page, () => page.reload());
  expect(await shownKeys(page)).toEqual(before);
  await page.goBack();
  await expect(box(page)).toHaveValue('flag');
});

test('filters by language and by how well picture and caption fit', async ({ page }) => {
  await searchText(page, 'a face');
  await page.getByText('All languages').click();
  await searching(page, () => page.getByRole('checkbox', { name: 'English' }).check());
  await page.keyboard.press('Escape');
  await expect(page).toHaveURL(/language=en/);
  await expect(cards(page).filter({ hasText: 'English' })).toHaveCount(await cards(page).count());
  await page.getByRole('slider').fill('1');
  await expect(page.getByText('Nothing passes these filters.')).toBeVisible();
  await searching(page, () => page.getByRole('button', { name: 'Clear the filters' }).click());
  expect(await cards(page).count()).toBeGreaterThan(0);
});

test('each picture once, or with all its captions; more results', async ({ page }) => {
  await searchText(page, 'animal');
  const distinct = await cards(page).count();
  await searching(page, () => page.getByRole('button', { name: 'more caption' }).first().click());
  await expect(page).toHaveURL(/all=1/);
  const [first, second] = await cards(page)
    .getByText(/^1\.000$|^0\.9/)
    .allInnerTexts();
  expect([first, second]).toEqual([first, first]);
  await searching(page, () => page.goto(`${new URL(page.url()).origin}/?q=animal`));
  await searching(page, () => page.getByRole('button', { name: 'Show more' }).click());
  expect(await cards(page).count()).toBeGreaterThan(distinct);
});

test('details: caption as text, the address where it was found', async ({ page }) => {
  await searchText(page, 'heart');
  await cards(page).first().getByRole('button', { name: 'Details' }).click();
  const dialog = page.getByRole('dialog', { name: 'Details' });
  await expect(dialog.getByRole('link').first()).toHaveAttribute('href', /^http:\/\/[\w.-]+\.test\//);
  await expect(dialog.getByRole('link').first()).toHaveAttribute('rel', /noopener/);
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
});

test('a caption with markup is shown as it is', async ({ page }) => {
  await page.route('**/api/v1/search*', async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as { results: { caption: string }[] };
    body.results[0]!.caption = '<img src=x onerror="document.title=1"><b>bold</b>';
    await route.fulfill({ response, json: body });
  });
  await searchText(page, 'cat');
  await expect(cards(page).first()).toContainText('<b>bold</b>');
  await expect(cards(page).first().locator('b')).toHaveCount(0);
});

test('in a narrow window nothing is cut off, and nothing lies on another', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 700 });
  await searchText(page, 'cat');
  const boxOf = async (locator: Locator) => (await locator.boundingBox())!;
  const card = await boxOf(cards(page).first());
  const button = await boxOf(cards(page).first().getByRole('button', { name: 'Details' }));
  expect(button.x + button.width).toBeLessThanOrEqual(card.x + card.width);
  const name = await boxOf(page.getByRole('link', { name: 'Pairmill' }));
  const about = await boxOf(page.getByText(/pairs · model mini/));
  expect(about.x).toBeGreaterThanOrEqual(name.x + name.width);
  expect(await page.locator('main').evaluate((main) => main.scrollWidth)).toBeLessThanOrEqual(360);
});

test('where neither similarities nor captions are known nothing is offered that needs them', async ({ page }) => {
  await page.route('**/api/v1/index*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...((await response.json()) as object), similarity: false } });
  });
  await page.route('**/api/v1/search*', async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as { results: { caption: string; url: string; language: string; further: object }[] };
    Object.assign(body.results[0]!, { caption: '', language: '', url: 'summer/cat.jpg', further: { seller: '<i>shop</i> 3' } });
    await route.fulfill({ response, json: body });
  });
  await page.reload();
  await searchText(page, 'cat');
  await expect(page.getByRole('slider')).toHaveCount(0);
  await cards(page).first().getByRole('button', { name: 'Details of: a picture without a caption' }).click();
  const dialog = page.getByRole('dialog', { name: 'Details' });
  await expect(dialog.getByText('Search by the caption')).toHaveCount(0);
  await expect(dialog.getByText('Language')).toHaveCount(0);
  await expect(dialog).toContainText('Filesummer/cat.jpg');
  await expect(dialog).toContainText('seller<i>shop</i> 3');
});

test('errors are said, and can be tried again; the keyboard leads to the box', async ({ page }) => {
  await page.route('**/api/v1/search*', (route) => route.abort());
  await box(page).fill('cat');
  await box(page).press('Enter');
  await expect(page.getByRole('alert')).toContainText('can’t be reached');
  await page.unroute('**/api/v1/search*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await settled(page);
  await page.locator('main').click({ position: { x: 2, y: 2 } });
  await page.keyboard.press('/');
  await expect(box(page)).toBeFocused();
  await page.locator('input[type=file]').setInputFiles({ name: 'broken.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') });
  await expect(page.getByRole('alert')).toContainText('it must be a JPEG, PNG or WebP');
});

/** Mean recall at 1 and at 10 in these languages, as the model's evaluation has it. */
async function statedRecall(languages: readonly string[]): Promise<{ first: number; ten: number }> {
  type Stated = { recall_at_1: number; recall_at_10: number };
  const evaluation = await readJson<{ english: Stated; languages: Record<string, Stated> }>(join(root, 'models/mini/evaluation.json'));
  const stated = languages.map((language) => (language === 'en' ? evaluation.english : evaluation.languages[language]!));
  const mean = (key: keyof Stated): number => stated.reduce((sum, each) => sum + each[key], 0) / stated.length / 100;
  return { first: mean('recall_at_1'), ten: mean('recall_at_10') };
}

async function somePicture(runDir: string, emojiOf: ReadonlyMap<string, string>): Promise<[key: string, bytes: Uint8Array]> {
  for await (const { key, members } of readSamples(join(runDir, 'pairs', '00000.tar'))) {
    if (emojiOf.has(key)) return [key, members.get('jpg')!];
  }
  throw new Error('no released picture in pairs/00000.tar');
}

// The whole web, planned: nothing is rendered or written yet.

import { makeCaptions } from './captions.ts';
import type { EmojiSet } from './emoji-set.ts';
import { planAnswers } from './plan-answers.ts';
import { planFiles } from './plan-files.ts';
import { planOptOuts, planPageOptOuts } from './plan-opt-outs.ts';
import { planPages } from './plan-pages.ts';
import type { PlannedPage } from './plan-pages.ts';
import { planPictures } from './plan-pictures.ts';
import { planTextLinks } from './plan-text-links.ts';
import { planUrlLinks } from './plan-url-links.ts';
import type { WebPlan } from './web-plan.ts';

export interface WebSize {
  seed: number;
  candidates: number;
  pictures: number;
  crawlFiles: number;
}

export function planWeb(set: EmojiSet, { seed, candidates, pictures, crawlFiles }: WebSize): { web: WebPlan; files: PlannedPage[][] } {
  const web: WebPlan = {
    seed,
    set,
    candidates,
    pictures: planPictures(set, seed, pictures),
    captions: makeCaptions(set),
    links: [],
    routes: [],
    planted: [],
    nextId: 1000,
  };
  planTextLinks(web);
  planUrlLinks(web);
  planOptOuts(web);
  planFiles(web);
  planAnswers(web);
  planPageOptOuts(web);
  return { web, files: planPages(web, crawlFiles) };
}

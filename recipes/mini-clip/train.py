"""Trains the mini model. Stopped anywhere (kill -9 too), the same command goes on from the last checkpoint.

    python train.py [--scale 1.0] [--run NAME]

Phases: `start` (text and one vector per emoji), `joint` and `more` (pictures and text), `finish` (text against the emoji's
vectors that pictures have shaped), `final` (the same with the names that were held out for reporting).
"""
import argparse
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

import common
from augment import Pictures
from common import DATA, DIM, SEED, WORK
from model import PictureTower, TextTower
from textdata import Texts

STEPS = {"start": 700, "joint": 6500, "more": 500, "finish": 3000, "final": 2000}
WIDE_FROM = 0.62  # until then 48 px pictures, then 64 px with wide ones among them
MORE_LR = 0.4
SAVE_SECONDS = 75
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for convolution kernels (Newton-Schulz, five steps)."""

    def __init__(self, params, lr, momentum=0.9, weight_decay=0.005):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @staticmethod
    def orthogonal(g):
        x = g.bfloat16()
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (x.norm() + 1e-7)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        return (x.T if tall else x).float()

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.mul_(group["momentum"]).add_(p.grad)
                g = p.grad.add(m, alpha=group["momentum"]).flatten(1)
                size = max(1, g.shape[0] / g.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(self.orthogonal(g).view_as(p), alpha=-group["lr"] * size)


class Ema:
    def __init__(self, modules, decay=0.998):
        self.decay = decay
        self.live = [t for m in modules for t in m.state_dict().values() if t.is_floating_point()]
        self.mean = [t.detach().clone() for t in self.live]

    @torch.no_grad()
    def update(self, step):
        torch._foreach_lerp_(self.mean, self.live, 1 - min(self.decay, (1 + step) / (10 + step)))

    @torch.no_grad()
    def put(self):
        """The mean becomes the live weights."""
        for live, mean in zip(self.live, self.mean):
            live.copy_(mean)


def cosine(step, steps, warm=100):
    return min(1, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def set_lr(optimisers, factor):
    for o in optimisers:
        for g in o.param_groups:
            g["lr"] = g["base"] * factor


def adam(groups):
    o = torch.optim.AdamW([{"params": list(p), "lr": lr, "base": lr, "weight_decay": wd} for p, lr, wd in groups], betas=(0.9, 0.98), fused=True)
    return o


def text_optimiser(text, factor=1.0):
    rest = [p for n, p in text.named_parameters() if n != "embedding.weight"]
    return adam([([text.embedding.weight], 5e-3 * factor, 0.0), (rest, 2e-3 * factor, 0.01)])


class Training:
    def __init__(self, run, scale):
        self.path = WORK / run
        self.path.mkdir(parents=True, exist_ok=True)
        self.steps = {k: max(20, int(v * scale)) for k, v in STEPS.items()}
        torch.manual_seed(SEED)
        self.classes = common.classes()
        self.n = len(self.classes)
        self.tokenizer = self.load_tokenizer()
        self.picture = PictureTower().to(memory_format=torch.channels_last)
        self.text = TextTower()
        self.w = nn.Parameter(torch.randn(self.n, DIM) * 0.05)  # one vector per emoji
        self.w0 = torch.zeros(self.n, DIM)
        self.log_scale = nn.Parameter(torch.tensor(math.log(20.0)))
        self.saved_at = time.time()
        self.began = time.time()

    def load_tokenizer(self):
        file = self.path / "tokenizer.json"
        if not file.exists():
            known = [t for t in common.texts() if not t["held"]]
            # Names count twice: what is asked for most should be split least.
            corpus = [s for t in known for s in (t["label"], t["label"], *t["tags"])]
            tokenizer = common.train_tokenizer(corpus)
            tokenizer.save(str(file) + ".part")
            os.replace(str(file) + ".part", file)
        return Tokenizer.from_file(str(file))

    # ------------------------------------------------------------ checkpoints
    def save(self, phase, step, optimisers, ema, name="checkpoint.pt"):
        state = {
            "phase": phase,
            "step": step,
            "picture": self.picture.state_dict(),
            "text": self.text.state_dict(),
            "w": self.w.data,
            "w0": self.w0,
            "log_scale": self.log_scale.data,
            "optimisers": [o.state_dict() for o in optimisers],
            "ema": ema.mean if ema else None,
            "rng": torch.get_rng_state(),
        }
        part = self.path / (name + ".part")
        torch.save(state, part)
        os.replace(part, self.path / name)
        self.saved_at = time.time()

    def resume(self):
        file = self.path / "checkpoint.pt"
        if not file.exists():
            return {"phase": "start", "step": 0, "optimisers": None, "ema": None}
        state = torch.load(file, weights_only=True)
        self.picture.load_state_dict(state["picture"])
        self.text.load_state_dict(state["text"])
        self.w.data.copy_(state["w"])
        self.w0.copy_(state["w0"])
        self.log_scale.data.copy_(state["log_scale"])
        torch.set_rng_state(state["rng"])
        print(f"goes on at {state['phase']} {state['step']}", flush=True)
        return state

    # ------------------------------------------------------------ losses
    def text_loss(self, ids, mask, target, w, smoothing=0.0, ce_weight=1.0, cosine_weight=4.0):
        with torch.autocast("cpu", torch.bfloat16):
            t = self.text(ids, mask)
        unit = F.normalize(w, dim=1)
        if smoothing:
            target = (1 - smoothing) * target + smoothing / self.n
        # The emoji's vectors move little for the text's sake: pictures shape them.
        ce = -(target * F.log_softmax(20 * t @ unit.T, 1)).sum(1).mean()
        if not cosine_weight:
            return ce
        aim = F.normalize(target @ unit.detach(), dim=1)
        return ce_weight * ce + cosine_weight * (1 - (t * aim).sum(1)).mean()

    # ------------------------------------------------------------ the loop all phases share
    def phase(self, name, optimisers, ema, at, lr, step_of):
        steps = self.steps[name]
        first = 0
        if at["phase"] == name and at["optimisers"]:
            first = at["step"]
            for o, s in zip(optimisers, at["optimisers"]):
                o.load_state_dict(s)
            if ema:
                for mean, saved in zip(ema.mean, at["ema"]):
                    mean.copy_(saved)
        sums, since, clock = {}, 0, time.time()
        for step in range(first, steps):
            # Each step draws from generators of its own, so a resumed run draws what an unstopped one would.
            rng = np.random.default_rng([SEED, *name.encode(), step])
            torch.manual_seed(int(rng.integers(2**62)))
            set_lr(optimisers, lr(step, steps))
            for o in optimisers:
                o.zero_grad(set_to_none=True)
            for key, value in step_of(rng, step, steps).items():
                sums[key] = sums.get(key, 0) + value
                sums[key + "#"] = sums.get(key + "#", 0) + 1
            for o in optimisers:
                o.step()
            if ema:
                ema.update(step)
            since += 1
            if since == 100 or step + 1 == steps:
                means = " ".join(f"{k} {v / sums[k + '#']:.3f}" for k, v in sums.items() if not k.endswith("#"))
                print(f"{name} {step + 1}/{steps} {means} {1000 * (time.time() - clock) / since:.0f} ms/step, {time.time() - self.began:.0f} s", flush=True)
                sums, since, clock = {}, 0, time.time()
            if time.time() - self.saved_at > SAVE_SECONDS:
                self.save(name, step + 1, optimisers, ema)
        if ema:
            ema.put()

    def run(self):
        at = self.resume()
        order = list(STEPS)
        todo = order[order.index(at["phase"]) :] if at["phase"] in order else []
        for i, name in enumerate(order):
            if name in todo:
                getattr(self, name)(at)
                following = order[i + 1] if i + 1 < len(order) else "done"
                self.save(following, 0, [], None)
                self.save(following, 0, [], None, name=f"after-{name}.pt")
                at = {"phase": following, "step": 0, "optimisers": None, "ema": None}
        print("done", flush=True)

    # ------------------------------------------------------------ phases
    def start(self, at):
        data = Texts(self.tokenizer, self.n, include_held=False)
        self.text.train()

        def step(rng, step, steps):
            loss = self.text_loss(*data.batch(rng, 1024), self.w, smoothing=0.05, cosine_weight=0)
            loss.backward()
            return {"text": loss.item()}

        optimisers = [text_optimiser(self.text), adam([([self.w], 5e-3, 0.0)])]
        self.phase("start", optimisers, None, at, lambda s, n: cosine(s, n, 20), step)
        self.w.data.copy_(F.normalize(self.w.data, dim=1))
        self.w0.copy_(self.w.data)

    def joint(self, at):
        self.both("joint", at, cosine, WIDE_FROM)

    def more(self, at):
        # A second, lower cycle at 64 px: the learning rate rises once more and falls again.
        self.both("more", at, lambda s, n: MORE_LR * cosine(s, n), 0)

    def both(self, name, at, lr, wide_from):
        data = Texts(self.tokenizer, self.n, include_held=False)
        pictures = Pictures(self.classes)
        self.picture.train()
        self.text.train()
        # What the text start found similar may be similar here too.
        near = self.w0 @ self.w0.T / 0.08
        near.fill_diagonal_(-1e9)
        near = torch.softmax(near, 1)
        kernels = [p for p in self.picture.parameters() if p.ndim == 4]
        rest = [p for p in self.picture.parameters() if p.ndim != 4]
        muon = Muon([{"params": kernels, "lr": 0.064, "base": 0.064}], lr=0.064)
        optimisers = [muon, adam([(rest, 8e-3, 0.0), ([self.log_scale], 8e-3, 0.0)]), adam([([self.w], 5e-3, 0.0)]), text_optimiser(self.text)]
        ema = Ema([self.picture, self.text])

        def step(rng, step, steps):
            late = step >= wide_from * steps
            picked = pictures.draw(rng, 256)
            x = pictures.batch(rng, picked, 64 if late else 48, late).contiguous(memory_format=torch.channels_last)
            cls = torch.from_numpy(pictures.cls[picked])
            with torch.autocast("cpu", torch.bfloat16):
                z = self.picture(x)
            z = z.float()
            logits = self.log_scale.clamp(max=math.log(60)).exp() * z @ F.normalize(self.w, dim=1).T
            log_p = F.log_softmax(logits, 1)
            own = -log_p.gather(1, cls[:, None]).mean()
            loss = 0.85 * own - 0.15 * (near[cls] * log_p).sum(1).mean()
            loss.backward()
            out = {"picture": own.item(), "acc": (logits.argmax(1) == cls).float().mean().item()}
            if step % 3 == 0:
                w = 0.3 * self.w + 0.7 * self.w.detach()
                text = self.text_loss(*data.batch(rng, 768), w)
                text.backward()
                out["text"] = text.item()
            else:
                for p in self.text.parameters():
                    p.grad = None
            return out

        self.phase(name, optimisers, ema, at, lr, step)

    def text_only(self, name, at, include_held, factor):
        # Names weigh more now and nearness to the vector more than telling emoji apart: that is what search needs.
        data = Texts(self.tokenizer, self.n, include_held)
        shares = (0.6, 0.22, 0.18)
        self.picture.eval()
        self.text.train()
        w = self.w.detach()
        ema = Ema([self.text])

        def step(rng, step, steps):
            loss = self.text_loss(*data.batch(rng, 1024, shares), w, ce_weight=0.2, cosine_weight=8.0)
            loss.backward()
            return {"text": loss.item()}

        self.phase(name, [text_optimiser(self.text, factor)], ema, at, lambda s, n: cosine(s, n, 50), step)

    def finish(self, at):
        self.text_only("finish", at, include_held=False, factor=0.6)

    def final(self, at):
        self.text_only("final", at, include_held=True, factor=0.4)


if __name__ == "__main__":
    args = argparse.ArgumentParser()
    args.add_argument("--scale", type=float, default=1.0, help="share of the steps, for a quick try")
    args.add_argument("--run", default="run")
    args = args.parse_args()
    Training(args.run, args.scale).run()

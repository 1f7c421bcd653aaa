import type { CalibrationSettings } from './calibration.ts';
import type { Device, OnnxInput, Pace, Values } from './onnx-session.ts';

/** How a session is opened: what is not given (threads, sessions) is calibrated. */
export interface SessionSettings {
  path: string;
  device: Device;
  threads?: number | undefined;
  sessions?: number | undefined;
  calibration: CalibrationSettings;
}

/** Between a worker and a thread that holds sessions. `key` names a session. */
export type ToEncoderThread = { id: number } & (
  | { key: string; open: SessionSettings }
  | { key: string; feeds: Readonly<Record<string, Values>> }
  | { close: string }
);
export type FromEncoderThread = { id: number } & (
  | { opened: { inputs: readonly OnnxInput[]; outputs: readonly string[]; pace: Pace } }
  | { outputs: Readonly<Record<string, Values>>; seconds: number }
  | { failed: string; run: boolean }
);

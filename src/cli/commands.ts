import { pipeline } from '../pipeline.ts';
import type { Command } from './command.ts';
import { completionCommand } from './commands/completion.ts';
import { demoCommand } from './commands/demo.ts';
import { docsCommand } from './commands/docs.ts';
import { doctorCommand } from './commands/doctor.ts';
import { probeCommand } from './commands/probe.ts';
import { modelsCommands } from './commands/models.ts';
import { runCommand } from './commands/run.ts';
import { serveCommand } from './commands/serve.ts';
import { stageCommand } from './commands/stage.ts';
import { statusCommand } from './commands/status.ts';
import { tagTrainCommand } from './commands/tag-train.ts';
import { taskCommand } from './commands/task.ts';
import { verifyCommand } from './commands/verify.ts';

/** All commands, in the order of help. */
export const commands: readonly Command[] = [
  demoCommand,
  runCommand,
  ...pipeline.map(stageCommand),
  tagTrainCommand,
  serveCommand,
  probeCommand,
  statusCommand,
  ...modelsCommands,
  verifyCommand,
  doctorCommand,
  completionCommand,
  taskCommand,
  docsCommand,
];

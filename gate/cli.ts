#!/usr/bin/env node
/**
 * The command line: the table of commands, and how every failure of theirs ends. Commands are
 * loaded when they are called.
 *
 * Exit status: 0 every verdict passes; 1 some verdict fails; 2 the command or its input is wrong;
 * 3 no verdict fails, but the candidate crashed, hung or broke the protocol.
 * @module
 */
import './node-version.ts';
import { Argument, Command, CommanderError, Option } from 'commander';
import type { GenerateCommandOptions, VerifyCommandOptions } from './commands/fixtures.ts';
import type { FuzzOptions } from './commands/fuzz.ts';
import type { GateOptions } from './commands/gate.ts';
import type { JudgeOptions } from './commands/judge.ts';
import * as value from './commands/options.ts';
import type { OracleOptions } from './commands/oracle.ts';
import { ofPasses, ofRuns } from './commands/pass-options.ts';
import type { PlanOptions } from './commands/plan.ts';
import type { RankCommandOptions } from './commands/rank.ts';
import type { ReplayOptions } from './commands/replay.ts';
import { addCompare, addMergeReports } from './commands/report-commands.ts';
import { REPORTS, reporting } from './commands/report-options.ts';
import type { RunCommandOptions } from './commands/run.ts';
import type { StackCommandOptions } from './commands/run-stack.ts';
import { fileSentence } from './file-errors.ts';
import { LANGUAGES, type Language } from './init.ts';
import { DIRECTIONS } from './select.ts';
import { printableLines } from './text.ts';
import { version } from './version.ts';

const GATE_EXAMPLES = `
Examples:
  $ xattn gate                                          our own LV-XAttn, the smoke suite
  $ xattn gate --candidate 'python3 my_attention.py'    yours, in any language
  $ xattn gate --suite core --only '*/probe/*' --candidate ./my-kernel
  $ xattn gate --sandbox --candidate ./kernel-of-a-machine
  $ xattn gate --suite core --shard 2/4 --report report.json --junit report.xml
  $ xattn gate --suite core --candidate ./my-kernel --html report.html

A candidate is a program that is started once. It first prints one line:
  {"xattn":1,"name":"my kernel","supports":["forward","backward","f32"],"profile":"f32"}
Then it gets lines {"case":"/path/of/a/case/folder"}, reads case.json and inputs.safetensors
there, writes outputs.safetensors beside them, and prints
  {"case":"/path/of/a/case/folder","status":"ok"}
or "status":"unsupported" or "error", with a "reason". Anything else it prints is its log.

A profile is f64, f32, tf32, f16 or bf16, and what the program does beyond it by name:
"f16+sigmoid-merge", or {"base":"f16","merge":"sigmoid"}; spec/bounds.md lists what may be named.
Declining a case whose words it all declares is a failure; --allow-declined counts it as a skip.

Numbers and order of the cases are drawn from a seed, a new one each time, which is printed;
--seed N repeats a run, for a CI job whose runs are to be compared.

Exit status: 0 every verdict passes; 1 some verdict fails; 2 the command or its input is wrong;
3 no verdict fails, but the candidate crashed, hung or broke the protocol; 130 and 143 interrupted.

Reports are whole at any moment: written before the first case, while the run goes on, and when it
ends, by Ctrl-C too. One that does not speak of every case says so in "incomplete".`;

const FUZZ_EXAMPLES = `
Examples:
  $ xattn fuzz --max-seconds 60                             our own LV-XAttn
  $ xattn fuzz --candidate ./my-kernel --runs 5000          yours
  $ xattn fuzz --candidate ./my-kernel --shard 2/4          a quarter of the cases

Each failure is shrunk through the candidate and kept under --out with the command that replays it.
What lies there from an earlier run is asked first. Without --runs and --max-seconds, 1000 cases.

Exit status: 0 nothing found; 1 a wrong answer was found; 2 the command or its input is wrong;
3 only crashes, hangs or breaches of the protocol were found; 130 and 143 interrupted: what was being
shrunk is kept as small as it is, and the summary is printed.`;

const REPLAY_EXAMPLES = `
Example:
  $ xattn replay out/latest/core/probe/rank-tags-3 --candidate 'python3 my_attention.py'

The folder is read only: the candidate gets a copy of the question. A case that fails only after
others has them under before/, and they are asked first. Exit status as of gate.
With --rows or --keys only such a sample is judged, and the report says so.`;

const JUDGE_EXAMPLES = `
Examples:
  $ xattn judge my-case --profile bf16                  outputs.safetensors beside case.json, all of it
  $ xattn judge million-keys --rows 64 --keys 64        64 query rows and 64 keys of every head
  $ xattn judge out/* --report report.json              many folders, one report
  $ xattn judge --serve                                 a process that judges until its input ends

Inputs of more than 64 MiB are read in ranges, and judged in a sample only. A pass of a sample says
nothing of the rest; every report says what share was judged. Exit status as of gate.

--serve reads one JSON object a line and answers each with one line, in any order:
  {"id":7,"case":"my-case","profile":"bf16"}            "rows" and "keys" as the options, or absent
  {"id":7,"verdict":"pass","reason":"within the bounds","outputs":{...},"diagnosis":null,"replay":null}
The verdict's fields are those of the report; a request that makes no sense gets {"id","error"}.
It ends when its input ends and all of it is answered.`;

const ORACLE_EXAMPLES = `
Examples:
  $ xattn oracle out/latest/core/probe/rank-tags-3                  the nearest float64 to the exact answer
  $ xattn oracle out/latest/core/probe/rank-tags-3 --format bf16    the one right bfloat16 of every element
  $ xattn oracle out/latest/core/probe/rank-tags-3 --bounds         and float64 enclosures, NAME.lo and NAME.hi
  $ xattn oracle out/latest/core/size/4096-keys --rows 64 --keys 64        64 query rows and 64 keys of every head

What would take more exact sums and decimals than a minute and some for each element is left undecided, by
name: work is counted, so the same on every machine. --work 10 grants ten times that, --work 0 none.
--max-seconds goes by the clock: what is undecided then depends on the machine.`;

const PLAN_EXAMPLES = `
Examples:
  $ xattn plan                                                  Llama 3-V-11b on 16 A100, 384 frames
  $ xattn plan --model mplug-owl3-7b --cluster a30x8 --seq-q 1024 --frames 512
  $ xattn plan --cluster my-cluster.json --seq-kv 1000000       a cluster of yours
  $ xattn plan --schedule ring-attention --svg ring.svg         a layer simulated, and drawn
  $ xattn plan --paper                                          published numbers beside predictions

Models: llama-3-v-11b llama-3-v-90b mplug-owl3-7b mplug-owl3-2b mplug-owl3-1b openflamingo-9b
openflamingo-3b. Clusters: a100x16 a30x8 a100x12. Either may be a .json file, a cluster such as
  {"name":"mine","ranks":64,"ranks_per_node":8,"memory_bytes":8.5e10,"peak_flops_per_s":9.89e14,
   "within_node_bytes_per_s":4.5e11,"between_nodes_bytes_per_s":5e10}

It may also have within_node_latency_s, between_nodes_latency_s and kernel_overhead_s, seconds, 0 when
absent. --schedule, --trace or --svg simulate one layer, forward and backward, at nominal rates, and
print what the formulas say of it beside what the clock says.

Schedules stand as published (O travels, heads expanded, as the paper counts) and as xattn run does
them; JSON has the latter in "as_run".

Every time stands twice: nominal, of data sheets and the paper's formulas, and calibrated, by rates
fitted to a few published rows. --json prints one object; bytes are of one layer and rank.`;

const RUN_EXAMPLES = `
Examples:
  $ xattn run                                                 LV-XAttn, four ranks on threads
  $ xattn run --schedule ring-attention --ranks 7 --transport simulated --device reference
  $ xattn run --schedule ulysses --ranks 4 --heads 8 --kv-heads 2 --trace run.json
  $ xattn run --schedule usp --ranks 8 --heads 8 --group 4
  $ xattn run --causal top-left --seq-kv 64 --skip-empty --no-overlap
  $ xattn run --seq-q 512 --seq-kv 16384 --heads 8 --head-dim 64 --ranks 2 --json
  $ xattn run --model llama-3-v-11b --shrink 16 --frames 2     all its cross-attention layers
  $ xattn run --model mplug-owl3-7b --fusion softmax --ranks 3 --schedule ring-attention

Blocks are as even as they can be. "backward" runs the forward pass too, which it needs. Bytes are
those of the messages' numbers, f32 on GPU.js and f64 on the reference device.

With --model its layers run forward and backward twice, Q, K and V recomputed or kept: what a rank keeps
is held to the formulas, and both ways to the same bits. That decides the exit status; how far the numbers
are from the definition in float64 is printed beside it.

With --transport processes, Ctrl-C and SIGTERM end the ranks too. A parent that is killed cannot: its ranks
leave when the kernel that they are in has ended.

Exit status: 0 the answer is right; 1 it is wrong; 2 the command or its input is wrong; 3 it failed;
130 and 143 interrupted.`;

const RANK_EXAMPLES = `
Example, a run over two machines:
  a$ XATTN_TOKEN=secret xattn run --ranks 2 --transport processes --listen 10.0.0.1:4000
  a$ XATTN_TOKEN=secret xattn rank --connect 10.0.0.1:4000
  b$ XATTN_TOKEN=secret xattn rank --connect 10.0.0.1:4000

Ranks send their messages straight to one another, at ports that the system picks. The token keeps
strangers out; nothing is encrypted, so use a network that you trust. A run that no word comes of any
more, as where the network is down, is given up after --timeout-s.

Exit status: 0 the run is over; 2 it was not let in; 3 the run failed.`;

const INIT_EXAMPLES = `
Examples:
  $ xattn init torch my-attention       attention.py, candidate.py, test_attention.py, xattn_kit.py
  $ npx xattn gate --candidate 'python3 my-attention/candidate.py'

What it writes passes the gate. Put your implementation in its place, and list the words that it
supports. Files that are there already are left alone: it then writes nothing.`;

const FIXTURES_EXAMPLES = `
Examples:
  $ xattn fixtures verify                             the golden cases of this package, every bit
  $ xattn fixtures generate my-folder                 the same bytes, in a folder of yours
  $ xattn fixtures generate npz-folder --as npz       an archive per case for NumPy
  $ xattn fixtures generate onnx-folder --as onnx     ONNX backend tests, where the operator covers the case
  $ xattn fixtures generate json-folder --as json     bit patterns for any JSON parser`;

/** The options of every command that judges; the embedded candidate's are not for another. */
function judging(command: Command): Command {
  const profile = new Option(
    '--profile <profile>',
    'judge at this precision, not the one declared',
  );
  const timeout = new Option('--timeout-s <seconds>', 'give up on an answer after this long');
  const start = new Option('--start-timeout-s <seconds>', 'give up on its hello after this long');
  const device = new Option('--device <name>', 'GPU.js backend of the embedded candidate');
  const transport = new Option('--transport <name>', 'where its ranks run');
  const schedule = new Option('--schedule <name>', 'how its ranks work together');
  const ours = command
    .option('--candidate <command>', 'program to judge (default: our own)', value.commandText)
    .addOption(profile.argParser(value.profileText))
    .option('--sandbox', 'run it without network, this package and what runs have kept (Linux)')
    .option('--sandbox-show <path>', 'show it this though it is hidden; repeatable', value.oneMore)
    .option('--allow-declined', 'a case that it declines, though it claims its words, is a skip')
    .addOption(timeout.argParser(value.seconds).default(value.DEFAULTS.timeoutS))
    .addOption(start.argParser(value.seconds).default(value.DEFAULTS.startTimeoutS))
    .addOption(device.choices(value.DEVICES).default(value.DEFAULTS.device).conflicts('candidate'))
    .addOption(
      transport.choices(value.TRANSPORTS).default(value.DEFAULTS.transport).conflicts('candidate'),
    )
    .addOption(
      schedule.choices(value.SCHEDULES).default(value.DEFAULTS.schedule).conflicts('candidate'),
    );
  return ofPasses(ours, ['candidate']);
}

/** `--functionals`, of commands that judge whole answers to cases. */
const leaning = (command: Command): Command =>
  command.option('--functionals', 'with fused-kernel, refuse errors that lean one way together');

/** The options of every command that may be about a part of a case. */
function sampled(command: Command): Command {
  return command
    .option('--rows <n|i,j,...>', 'only so many query rows, or these', value.positions)
    .option('--keys <n|i,j,...>', 'only so many keys, or these', value.positions)
    .option('--seed <n>', 'draw rows and keys from this seed', value.wholeNumber, 0);
}

type Finish = (status: number) => void;

function addGate(program: Command, finish: Finish): void {
  leaning(reporting(judging(program.command('gate'))))
    .summary('judge an implementation of cross-attention on a suite of cases')
    .description('Judge an implementation of cross-attention on a suite of cases.')
    .addOption(new Option('--suite <name>', 'cases').choices(value.SUITES).default('smoke'))
    .addOption(new Option('--direction <name>', 'passes').choices(DIRECTIONS).default('both'))
    .option(
      '--only <glob>',
      'only the cases with such a name; * is anything, / too',
      value.globText,
    )
    .option('--require <words>', 'words that must be declared and judged', value.words)
    .option(
      '--seed <n>',
      'draw numbers and order from this seed (default: drawn)',
      value.wholeNumber,
    )
    .option('--repeat <n>', 'ask each case so often, others in between', value.positiveNumber, 1)
    .option('--shard <i/n>', 'only part i of n of the cases', value.shard)
    .option('--out <dir>', 'keep failing cases here', value.pathText, value.DEFAULT_OUT)
    .option(...ALL)
    .addHelpText('after', GATE_EXAMPLES)
    .action(async (options: GateOptions) => {
      finish(await (await import('./commands/gate.ts')).gateCommand(options));
    });
}

function addFuzz(program: Command, finish: Finish): void {
  reporting(judging(program.command('fuzz')))
    .summary('judge it on random cases, and shrink what fails')
    .description('Judge an implementation on random cases, and shrink what fails.')
    .option('--runs <n>', 'cases to judge', value.positiveNumber)
    .option('--max-seconds <s>', 'stop drawing after this long', value.seconds)
    .option('--seed <n>', 'draw from this seed (default: drawn)', value.wholeNumber)
    .option('--shard <i/n>', 'only part i of n of the cases', value.shard)
    .option(
      '--out <dir>',
      'keep findings here, and go on from what is there',
      value.pathText,
      value.DEFAULT_OUT,
    )
    .addHelpText('after', FUZZ_EXAMPLES)
    .action(async (options: FuzzOptions) => {
      finish(await (await import('./commands/fuzz.ts')).fuzzCommand(options));
    });
}

function addReplay(program: Command, finish: Finish): void {
  leaning(reporting(sampled(judging(program.command('replay <case-dir>')))))
    .summary('judge it on one case folder')
    .description('Judge an implementation on one case folder, such as a failing one that was kept.')
    .addHelpText('after', REPLAY_EXAMPLES)
    .action(async (folder: string, options: ReplayOptions) => {
      finish(await (await import('./commands/replay.ts')).replayCommand(folder, options));
    });
}

const ALL = ['--all', 'tell of every failing and every skipped case'] as const;

function addJudge(program: Command, finish: Finish): void {
  const profile = new Option('--profile <profile>', 'precision that the outputs are judged at');
  const server = new Option('--serve', 'judge what JSON lines on standard input name');
  const ofFolders = ['rows', 'keys', 'seed', 'profile', 'functionals', 'all', ...REPORTS];
  leaning(reporting(sampled(program.command('judge [case-dirs...]'))))
    .summary('judge outputs that lie in case folders, or a sample of them')
    .description('Judge the outputs that lie in case folders, whoever wrote them.')
    .addOption(profile.argParser(value.profileText).default(value.DEFAULTS.profile, 'f32'))
    .addOption(server.conflicts(ofFolders))
    .option(...ALL)
    .option('--workers <n>', 'threads of --serve; changes no verdict', value.positiveNumber)
    .addHelpText('after', JUDGE_EXAMPLES)
    .action(async (folders: string[], options: JudgeOptions) => {
      finish(await (await import('./commands/judge.ts')).judgeCommand(folders, options));
    });
}

function addOracle(program: Command, finish: Finish): void {
  const format = new Option('--format <name>', 'number format of the answer');
  sampled(program.command('oracle <case-dir>'))
    .summary('the correctly rounded answer to a case')
    .description('Write the correctly rounded answer to a case as expected.safetensors beside it.')
    .addOption(format.choices(value.FORMATS).default('f64'))
    .option('--bounds', 'write enclosures of the exact values too')
    .option('--work <factor>', 'grant so many times the work of a minute', value.factor)
    .option('--max-seconds <s>', 'begin nothing slow after so long', value.seconds)
    .addHelpText('after', ORACLE_EXAMPLES)
    .action(async (folder: string, options: OracleOptions) => {
      finish(await (await import('./commands/oracle.ts')).oracleCommand(folder, options));
    });
}

function addPlan(program: Command, finish: Finish): void {
  const frames = new Option('--frames <n>', 'visual input in frames (default: 384)');
  const schedule = new Option('--schedule <name>', 'simulate a layer under it, rank by rank');
  const group = new Option(
    '--group <n>',
    'usp: ranks of a group, a divisor of ranks and heads (default: of a node)',
  );
  const trace = new Option('--trace <file.json>', 'write what is simulated, for ui.perfetto.dev');
  const svg = new Option('--svg <file.svg>', 'draw what is simulated');
  const paper = new Option('--paper', 'what the paper published beside what is predicted');
  program
    .command('plan')
    .summary('what each schedule costs for a model on a cluster')
    .description('Time, volume and memory of every schedule for a model on a cluster.')
    .option('--model <name>', 'preset, or a .json file', 'llama-3-v-11b')
    .option('--cluster <name>', 'preset, or a .json file', 'a100x16')
    .option('--seq-q <n>', 'text tokens', value.positiveNumber, 2048)
    .option('--seq-kv <n>', 'visual input in keys', value.positiveNumber)
    .addOption(frames.argParser(value.positiveNumber).conflicts('seqKv'))
    .addOption(schedule.choices(value.SCHEDULES).conflicts('paper'))
    .addOption(group.argParser(value.positiveNumber).conflicts('paper'))
    .addOption(trace.argParser(value.pathText).conflicts('paper'))
    .addOption(svg.argParser(value.pathText).conflicts('paper'))
    .addOption(paper.conflicts(['model', 'cluster', 'seqQ', 'seqKv', 'frames']))
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', PLAN_EXAMPLES)
    .action(async (options: PlanOptions) => {
      finish(await (await import('./commands/plan.ts')).planCommand(options));
    });
}

function addRun(program: Command, finish: Finish): void {
  const schedule = new Option('--schedule <name>', 'how the ranks work together');
  const transport = new Option('--transport <name>', 'where they run');
  const device = new Option('--device <name>', 'what computes');
  const timeout = new Option(
    '--timeout-s <seconds>',
    'give up where a rank waits for a message, or computes a step, for so long',
  );
  const start = new Option(
    '--start-timeout-s <seconds>',
    'give up where ranks in processes are not all connected after so long (default: 60)',
  );
  const model = new Option('--model <name>', 'all cross-attention layers of a model, scaled down');
  const shrink = new Option(
    '--shrink <n>',
    'divide the model’s heads, widths, tokens (default: 16)',
  );
  const command = program
    .command('run')
    .summary('run a schedule on drawn numbers, and judge what it gives')
    .description(
      'Run a distributed schedule on drawn numbers: what it sends, and whether it is right.',
    )
    .addOption(schedule.choices(value.SCHEDULES).default(value.DEFAULTS.schedule));
  ofRuns(command)
    .option('--ranks <n>', 'ranks', value.positiveNumber, 4)
    .addOption(transport.choices(value.TRANSPORTS).default(value.DEFAULTS.transport))
    .addOption(device.choices(value.DEVICES).default(value.DEFAULTS.device))
    .option('--batch <n>', 'batch entries', value.positiveNumber, 1)
    .option('--heads <n>', 'query heads', value.positiveNumber, 4)
    .option('--kv-heads <n>', 'heads of keys and values (default: as many)', value.positiveNumber)
    .option('--head-dim <n>', 'numbers a head', value.positiveNumber, 32)
    .option('--seq-q <n>', 'queries', value.wholeNumber, 64)
    .option('--seq-kv <n>', 'keys', value.wholeNumber, 512)
    .addOption(new Option('--direction <name>', 'passes').choices(DIRECTIONS).default('both'))
    .option('--seed <n>', 'draw numbers and the interleaving from it', value.wholeNumber, 1)
    .option(
      '--listen <host:port>',
      'wait here for "xattn rank" in place of processes; strangers are refused, each with a line',
      value.address,
    )
    .addOption(start.argParser(value.seconds))
    .addOption(timeout.argParser(value.seconds).default(value.DEFAULTS.timeoutS))
    .option('--trace <file.json>', 'write what happened when, for ui.perfetto.dev', value.pathText)
    .option('--svg <file.svg>', 'draw what happened when', value.pathText)
    .addOption(model.choices(value.MODEL_NAMES).conflicts(value.NOT_OF_MODELS))
    .option('--layers <n>', 'of the model (default: all that it has)', value.positiveNumber)
    .option('--frames <n>', 'of visual input of the model (default: 2)', value.positiveNumber)
    .addOption(shrink.argParser(value.positiveNumber))
    .addOption(
      new Option('--fusion <name>', 'how the model adds attention (default: its own)').choices(
        value.FUSIONS,
      ),
    )
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', RUN_EXAMPLES)
    .action(async (options: RunCommandOptions & StackCommandOptions) => {
      const { model } = options;
      if (model === undefined) {
        value.checkOfModels(options);
        finish(await (await import('./commands/run.ts')).runCommand(options));
      } else {
        finish(await (await import('./commands/run-stack.ts')).runStackCommand(model, options));
      }
    });
}

function addRank(program: Command, finish: Finish): void {
  const start = new Option(
    '--start-timeout-s <seconds>',
    'try to connect for so long, then wait so long for an answer',
  );
  const timeout = new Option(
    '--timeout-s <seconds>',
    'give the run up after so long without a word of it, which comes every second',
  );
  program
    .command('rank')
    .summary('serve as a rank of a run on another machine')
    .description('Serve as a rank of a run that waits for it ("xattn run --listen HOST:PORT").')
    .requiredOption('--connect <host:port>', 'where the run waits for its ranks', value.address)
    .addOption(start.argParser(value.seconds).default(value.DEFAULTS.startTimeoutS))
    .addOption(timeout.argParser(value.seconds).default(value.DEFAULTS.timeoutS))
    .addHelpText('after', RANK_EXAMPLES)
    .action(async (options: RankCommandOptions) => {
      finish(await (await import('./commands/rank.ts')).rankCommand(options));
    });
}

function addInit(program: Command, finish: Finish): void {
  const language = new Argument('<language>', 'what it is written in').choices(LANGUAGES);
  program
    .command('init')
    .summary('write a first candidate, which runs as it is written')
    .description('Write a first candidate into a folder, which runs as it is written.')
    .addArgument(language)
    .argument('<dir>', 'folder, made when missing', value.pathText)
    .addHelpText('after', INIT_EXAMPLES)
    .action(async (chosen: Language, folder: string) => {
      finish((await import('./commands/init.ts')).initCommand(chosen, folder));
    });
}

function addDoctor(program: Command, finish: Finish): void {
  program
    .command('doctor')
    .summary('what works on this machine')
    .description('Try everything this project needs, and say how to get what is missing.')
    .action(async () => {
      finish(await (await import('./commands/doctor.ts')).doctorCommand());
    });
}

function addFixtures(program: Command, finish: Finish): void {
  const fixtures = program
    .command('fixtures')
    .summary('golden cases: generate them, or verify a folder of them')
    .description('Golden cases: correctly rounded answers in files, reproducible to the bit.')
    .addHelpText('after', FIXTURES_EXAMPLES);
  const load = () => import('./commands/fixtures.ts');
  const as = new Option('--as <format>', 'another format').choices(['npz', 'onnx', 'json']);
  fixtures
    .command('generate [dir]')
    .description('Write the golden cases into a folder (default: the package’s own).')
    .addOption(as)
    .option('--workers <n>', 'threads; changes no bit', value.wholeNumber)
    .action(async (folder: string | undefined, options: GenerateCommandOptions) => {
      finish(await (await load()).generateCommand(folder, options));
    });
  fixtures
    .command('verify [dir]')
    .description(
      'Prove that a folder holds the golden cases, every byte (default: the package’s own).',
    )
    .option('--workers <n>', 'threads', value.wholeNumber)
    .option('--seed <n>', 'of the cases evaluated again in 120 digits', value.wholeNumber, 1)
    .option('--sample <n>', 'how many of them', value.wholeNumber, 12)
    .action(async (folder: string | undefined, options: VerifyCommandOptions) => {
      finish(await (await load()).verifyCommand(folder, options));
    });
}

export function program(finish: Finish): Command {
  const command = new Command('xattn')
    .description('Judge implementations of cross-attention against the exact answer.')
    .version(version())
    .showHelpAfterError('Run it with --help to see what it takes.')
    .addHelpText('after', '\nEvery command explains itself, with examples: xattn gate --help')
    .exitOverride()
    // What commander complains of may carry whatever was typed.
    .configureOutput({ writeErr: (text) => process.stderr.write(printableLines(text)) });
  const commands = [
    addGate,
    addFuzz,
    addReplay,
    addJudge,
    addCompare,
    addMergeReports,
    addOracle,
    addPlan,
    addRun,
    addRank,
    addFixtures,
    addInit,
    addDoctor,
  ];
  for (const add of commands) add(command, finish);
  return command;
}

/** One sentence for whatever was thrown. A stack only on request. */
function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (process.env.XATTN_TRACE) return error.stack ?? error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof RangeError || (code !== undefined && !code.startsWith('ERR_'))) {
    return fileSentence(error);
  }
  return `internal error: ${error.message}; set XATTN_TRACE=1 to see where, and please report it`;
}

/** Run the command line; the exit status. Never throws. */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0;
  try {
    await program((given) => {
      status = given;
    }).parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`xattn: ${printableLines(sentence(error))}\n`);
    return 2;
  }
}

/** A reader that closed the pipe early is no reason to fail; what could not be printed is. */
let unprinted: string | null = null;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') unprinted = fileSentence(error);
});
process.stderr.on('error', () => {});
const status = await main(process.argv.slice(2));
// The event that tells of a failed write comes after the call back of the last one.
process.stdout.write('', () =>
  setImmediate(() => {
    if (unprinted === null) process.exit(status);
    process.stderr.write(`xattn: standard output: ${unprinted}\n`);
    process.exit(status === 0 ? 2 : status);
  }),
);

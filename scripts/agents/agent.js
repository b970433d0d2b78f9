#!/usr/bin/env node
// A writer in Node. agent.js FILE NAME COUNT [PAD] [FIRST]
//
// One fs.writeSync of one Buffer a line, on a descriptor opened with 'a'.
// A string given to writeSync is encoded first and may be written in parts.
'use strict';
const fs = require('node:fs');

// The rule itself. Copy this.
class Lane {
	constructor(path) {
		this.fd = fs.openSync(path, 'a+');
		const size = fs.fstatSync(this.fd).size;
		const last = Buffer.alloc(1);
		if (size > 0 && fs.readSync(this.fd, last, 0, 1, size - 1) === 1 && last[0] !== 10) {
			fs.writeSync(this.fd, Buffer.from('\n')); // somebody died in the middle of a line
		}
	}

	append(event) {
		const line = Buffer.from(JSON.stringify(event) + '\n');
		const written = fs.writeSync(this.fd, line, 0, line.length);
		if (written !== line.length) {
			fs.writeSync(this.fd, Buffer.from('\n')); // the disk is full: end what is there, say so
			throw new Error(`wrote ${written} of ${line.length} bytes`);
		}
	}
}

const [path, name, count, pad = '0', first = '1'] = process.argv.slice(2);
const lane = new Lane(path);
for (let n = Number(first); n < Number(first) + Number(count); n++) {
	lane.append({ type: 'agent.note', data: { writer: name, n, pad: 'x'.repeat(Number(pad)) } });
}

import { describe, expect, it } from 'vitest';
import { byUpload, chunkFile, isFanOut, parityFile, uploadIdOf } from '../../src/metadata/shard-file.ts';
import { mintId } from '../../src/metadata/version.ts';
import { LATER, VERSION } from './sample-meta.ts';

const ID = '01a203c9-bd0f-7378-a1ea-09fbe5b4bd3d';

describe('the file of a chunk', () => {
  it('is in the folder of the last two digits of the id, named by the id and six digits', () => {
    expect([0, 42, 999_999].map((order) => chunkFile(ID, order))).toEqual([
      `chunks/3d/${ID}.000000.chunk`,
      `chunks/3d/${ID}.000042.chunk`,
      `chunks/3d/${ID}.999999.chunk`,
    ]);
  });

  it('of parity is named by the first chunk of its stripe and by its row', () => {
    expect([parityFile(ID, 0, 0), parityFile(ID, 42, 30)]).toEqual([
      `chunks/3d/${ID}.000000.parity0`,
      `chunks/3d/${ID}.000042.parity30`,
    ]);
  });

  it('tells whose it is', () => {
    for (let count = 0; count < 100; count++) {
      const id = mintId();
      expect([uploadIdOf(chunkFile(id, count)), uploadIdOf(parityFile(id, count, 0))]).toEqual([id, id]);
    }
  });
});

describe('files of chunks', () => {
  it('are told apart by their uploads, each in its order', () => {
    const [a, b, c] = [chunkFile(VERSION, 0), chunkFile(LATER, 0), parityFile(VERSION, 0, 1)].map((file) => ({ file }));
    expect([...byUpload([a, b, c].filter((one) => one !== undefined))]).toEqual([
      [VERSION, [a, c]],
      [LATER, [b]],
    ]);
  });
});

describe('the name of a fan-out folder', () => {
  it('is two hexadecimal digits in lower case', () => {
    expect(['00', 'a7', 'ff'].every(isFanOut)).toBe(true);
    expect(['', '0', 'A7', '0g', '000', '.0', '00\n', '..'].filter(isFanOut)).toEqual([]);
  });
});

;; Sums of products over GF(2^8), 64 bytes at a time. `npm run build:kernel` turns this file into kernel-binary.ts.
;;
;; The memory comes from outside, and other threads may read in it. Its first page is the kernel's own (kernel.ts fills it):
;;
;;   from 0     256 tables of 32 bytes, one for each coefficient c: c·n for the 16 low nibbles n, then c·(16·n) for the
;;              16 high nibbles. A byte's product is the XOR of one entry of each half.
;;   from 8192  the terms of a sum, 8 bytes each: the address of a source, and the address of its coefficient's table.
(module
  (import "kernel" "memory" (memory 1 65536 shared))

  ;; Writes to `length` bytes at $output the sum of the terms from $terms to $end. Those before $products have the
  ;; coefficient 1 and need no table. The output may be a source itself, but not overlap one otherwise.
  (func (export "combine") (param $output i32) (param $length i32) (param $terms i32) (param $products i32) (param $end i32)
    (local $offset i32)   ;; how many bytes of the output are done
    (local $term i32)
    (local $source i32)
    (local $table i32)
    (local $nibble v128)  ;; 16 times 0x0f
    (local $low v128)
    (local $high v128)
    (local $bytes v128)
    (local $sum0 v128)
    (local $sum1 v128)
    (local $sum2 v128)
    (local $sum3 v128)
    (local $sum i32)

    (local.set $nibble (v128.const i8x16 15 15 15 15 15 15 15 15 15 15 15 15 15 15 15 15))

    (block $vectorsDone
      (loop $vectors
        (br_if $vectorsDone (i32.gt_u (i32.add (local.get $offset) (i32.const 64)) (local.get $length)))
        (local.set $sum0 (v128.const i64x2 0 0))
        (local.set $sum1 (v128.const i64x2 0 0))
        (local.set $sum2 (v128.const i64x2 0 0))
        (local.set $sum3 (v128.const i64x2 0 0))
        (local.set $term (local.get $terms))

        (block $plainDone
          (loop $plain
            (br_if $plainDone (i32.eq (local.get $term) (local.get $products)))
            (local.set $source (i32.add (i32.load (local.get $term)) (local.get $offset)))
            (local.set $sum0 (v128.xor (local.get $sum0) (v128.load (local.get $source))))
            (local.set $sum1 (v128.xor (local.get $sum1) (v128.load offset=16 (local.get $source))))
            (local.set $sum2 (v128.xor (local.get $sum2) (v128.load offset=32 (local.get $source))))
            (local.set $sum3 (v128.xor (local.get $sum3) (v128.load offset=48 (local.get $source))))
            (local.set $term (i32.add (local.get $term) (i32.const 8)))
            (br $plain)))

        (block $productsDone
          (loop $product
            (br_if $productsDone (i32.eq (local.get $term) (local.get $end)))
            (local.set $source (i32.add (i32.load (local.get $term)) (local.get $offset)))
            (local.set $table (i32.load offset=4 (local.get $term)))
            (local.set $low (v128.load (local.get $table)))
            (local.set $high (v128.load offset=16 (local.get $table)))

            ;; Bytes have no fast shift: 16-bit numbers are shifted, and what their upper byte shifts into the lower is cut off.
            (local.set $bytes (v128.load (local.get $source)))
            (local.set $sum0 (v128.xor (local.get $sum0) (v128.xor
              (i8x16.swizzle (local.get $low) (v128.and (local.get $bytes) (local.get $nibble)))
              (i8x16.swizzle (local.get $high) (v128.and (i16x8.shr_u (local.get $bytes) (i32.const 4)) (local.get $nibble))))))
            (local.set $bytes (v128.load offset=16 (local.get $source)))
            (local.set $sum1 (v128.xor (local.get $sum1) (v128.xor
              (i8x16.swizzle (local.get $low) (v128.and (local.get $bytes) (local.get $nibble)))
              (i8x16.swizzle (local.get $high) (v128.and (i16x8.shr_u (local.get $bytes) (i32.const 4)) (local.get $nibble))))))
            (local.set $bytes (v128.load offset=32 (local.get $source)))
            (local.set $sum2 (v128.xor (local.get $sum2) (v128.xor
              (i8x16.swizzle (local.get $low) (v128.and (local.get $bytes) (local.get $nibble)))
              (i8x16.swizzle (local.get $high) (v128.and (i16x8.shr_u (local.get $bytes) (i32.const 4)) (local.get $nibble))))))
            (local.set $bytes (v128.load offset=48 (local.get $source)))
            (local.set $sum3 (v128.xor (local.get $sum3) (v128.xor
              (i8x16.swizzle (local.get $low) (v128.and (local.get $bytes) (local.get $nibble)))
              (i8x16.swizzle (local.get $high) (v128.and (i16x8.shr_u (local.get $bytes) (i32.const 4)) (local.get $nibble))))))
            (local.set $term (i32.add (local.get $term) (i32.const 8)))
            (br $product)))

        (v128.store (i32.add (local.get $output) (local.get $offset)) (local.get $sum0))
        (v128.store offset=16 (i32.add (local.get $output) (local.get $offset)) (local.get $sum1))
        (v128.store offset=32 (i32.add (local.get $output) (local.get $offset)) (local.get $sum2))
        (v128.store offset=48 (i32.add (local.get $output) (local.get $offset)) (local.get $sum3))
        (local.set $offset (i32.add (local.get $offset) (i32.const 64)))
        (br $vectors)))

    ;; What is left, less than 64 bytes, one by one. Here all terms have tables, also those with the coefficient 1.
    (block $bytesDone
      (loop $byte
        (br_if $bytesDone (i32.eq (local.get $offset) (local.get $length)))
        (local.set $sum (i32.const 0))
        (local.set $term (local.get $terms))
        (block $termsDone
          (loop $nextTerm
            (br_if $termsDone (i32.eq (local.get $term) (local.get $end)))
            (local.set $source (i32.load8_u (i32.add (i32.load (local.get $term)) (local.get $offset))))
            (local.set $table (i32.load offset=4 (local.get $term)))
            (local.set $sum (i32.xor (local.get $sum) (i32.xor
              (i32.load8_u (i32.add (local.get $table) (i32.and (local.get $source) (i32.const 15))))
              (i32.load8_u offset=16 (i32.add (local.get $table) (i32.shr_u (local.get $source) (i32.const 4)))))))
            (local.set $term (i32.add (local.get $term) (i32.const 8)))
            (br $nextTerm)))
        (i32.store8 (i32.add (local.get $output) (local.get $offset)) (local.get $sum))
        (local.set $offset (i32.add (local.get $offset) (i32.const 1)))
        (br $byte)))))

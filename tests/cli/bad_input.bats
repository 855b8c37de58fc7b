# SPDX-License-Identifier: MIT
# Files that are missing, broken or not what they should be. Nothing is made where the input is bad.
# Not under tsan: what is wrong is found before a thread starts.
load common

@test "missing folder" {
    refuse 3 "nowhere: No such file or directory" train --data nowhere
    [ ! -e runs ]
}

@test "folder without the files" {
    mkdir empty
    refuse 3 "empty: no file train-images-idx3-ubyte" train --data empty
    [ ! -e runs ]
}

@test "a source that no model file could name" {
    mkdir $'bad\xff'
    refuse 2 "is not UTF-8" train --data $'bad\xff'
    for control in $'\e' $'\xc2\x9b'; do
        refuse 2 "has control characters" train --data "bad${control}31m"
        [[ $errors != *$control* ]]
    done
    [ ! -e runs ]
}

@test "unknown built-in set" { refuse 2 "there are: digits" train --data builtin:digit; }

@test "HTML instead of gzip" {
    make_mnist m
    printf '<html><body>403 Forbidden</body></html>' >m/train-images-idx3-ubyte.gz
    rm m/train-images-idx3-ubyte
    refuse 3 "m/train-images-idx3-ubyte.gz: an HTML or XML page" train --data m
    [ ! -e runs ]
}

@test "gzip cut in its body and in its trailer" {
    make_mnist m
    head -c 100000 /dev/urandom >noise
    { printf '\0\0\10\3\0\0\0\144\0\0\0\12\0\0\0\144'; cat noise; } | gzip >whole.gz # 100 images of 10 x 100
    rm m/train-images-idx3-ubyte
    for cut in 50000 4 8 1; do
        head -c -$cut whole.gz >m/train-images-idx3-ubyte.gz
        refuse 3 "file ends too early" train --data m
    done
    [ ! -e runs ]
}

@test "wrong magic" {
    make_mnist m
    printf '\1\2\3\4 and so on' >m/train-images-idx3-ubyte
    refuse 3 "not an IDX file: starts with 01 02 03 04" train --data m
}

@test "labels given as images, and the reverse" {
    make_mnist m
    cp m/train-labels-idx1-ubyte m/train-images-idx3-ubyte
    refuse 3 "IDX file of rank 1, labels (expected images" train --data m
    make_mnist m
    cp m/t10k-images-idx3-ubyte m/t10k-labels-idx1-ubyte
    refuse 3 "IDX file of rank 3, images (expected labels" train --data m
    make_mnist m
    refuse 3 "rank 1, labels (expected images" train --data m/train-labels-idx1-ubyte
}

@test "counts that disagree" {
    make_mnist m
    make_labels 19 >m/train-labels-idx1-ubyte
    refuse 3 "m/train-labels-idx1-ubyte: 19 labels for 20 images" train --data m
}

@test "dimensions whose product overflows" {
    make_mnist m
    printf '\0\0\10\3\377\377\377\377\377\377\377\377\377\377\377\377' >m/train-images-idx3-ubyte
    refuse 3 "m/train-images-idx3-ubyte: 4294967295 items" train --data m
    printf '\0\0\10\3\0\0\0\1\377\377\377\377\377\377\377\377' >m/train-images-idx3-ubyte
    refuse 3 "images of 4294967295 x 4294967295 pixels" train --data m
    printf '\0\0\10\3\177\377\377\0\0\0\17\377\0\0\17\377' | gzip >m/t10k-images-idx3-ubyte.gz
    make_mnist m
    rm m/t10k-images-idx3-ubyte
    refuse 3 "can hold" train --data m
}

@test "train and test images of different sizes" {
    make_mnist m
    { printf '\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\2'; printf 'abcd'; } >m/t10k-images-idx3-ubyte
    make_labels 1 >m/t10k-labels-idx1-ubyte
    refuse 3 "training images are 6 x 5, test images 2 x 2" train --data m
}

@test "existing run folder, and --force" {
    expect 0 train "${SMALL[@]}" -o run
    sum=$(sha256sum <run/model.safetensors)
    refuse 7 "run: is already there" train "${SMALL[@]}" -o run
    [ "$sum" = "$(sha256sum <run/model.safetensors)" ]
    expect 0 train "${SMALL[@]}" -o run --force --seed 2
    [ "$sum" != "$(sha256sum <run/model.safetensors)" ]
}

@test "a run folder in use" {
    mkdir run
    (
        flock 9
        refuse 7 "in use by another training" train "${SMALL[@]}" -o run --force
    ) 9<run
}

@test "unwritable output" {
    : >file
    refuse 4 "file/run" train "${SMALL[@]}" -o file/run
    expect 0 train "${SMALL[@]}" -o run
    refuse 4 "file/picture.png: cannot write" sample run -o file/picture.png
    mkdir folder.png
    refuse 4 "folder.png: cannot write" sample run -o folder.png
    [ "$(ls -A folder.png)" = "" ]
}

@test "a full disk leaves the old models and no rubbish" {
    expect 0 train "${SMALL[@]}" --validation 0.1 -o run
    sha256sum run/*.safetensors >before
    (
        ulimit -f 8
        refuse 4 ": cannot write: File too large" train "${SMALL[@]}" -o run --force
        refuse 4 ": cannot write: File too large" train --resume run --epochs 3 -q
        refuse 4 "new/model.safetensors: cannot write: File too large" train "${SMALL[@]}" -o new
        mkdir empty
        refuse 4 "empty/model.safetensors: cannot write: File too large" train "${SMALL[@]}" -o empty --force
    )
    sha256sum -c --quiet before
    [ -z "$(find run -name '*tmp*' -o -name '.probe*')" ]
    [ ! -e new ]
    rmdir empty
    expect 0 info run
}

@test "what somebody else keeps in a run folder stays" {
    expect 0 train "${SMALL[@]}" -o run
    for name in .probe .probe-XXXXXX model.safetensors.tmp notes.txt; do echo "mine" >"run/$name"; done
    expect 0 train "${SMALL[@]}" -o run --force
    expect 0 train --resume run --epochs 3 -q
    for name in .probe .probe-XXXXXX model.safetensors.tmp notes.txt; do [ "$(cat "run/$name")" = "mine" ]; done
    [ "$(find run -type f | wc -l)" -eq 6 ]
}

@test "a forced run that fails at once leaves the one that was there" {
    expect 0 train "${SMALL[@]}" --validation 0.1 -o run
    sha256sum run/* >before
    refuse 6 "times that of the untrained model at step 2 (epoch 1)" train "${SMALL[@]}" --lr 1e6 -o run --force
    sha256sum -c --quiet before
    rm run/metrics.csv && mkdir run/metrics.csv
    sha256sum run/*.safetensors >before
    refuse 4 "run/metrics.csv: cannot write: Is a directory" train "${SMALL[@]}" --seed 5 -o run --force
    refuse 5 "run/metrics.csv: cannot read: not a regular file" train --resume run --epochs 3 -q
    rmdir run/metrics.csv && mkfifo run/metrics.csv
    refuse 5 "run/metrics.csv: cannot read: not a regular file" train --resume run --epochs 3 -q
    sha256sum -c --quiet before
}

@test "what is no file is not replaced" {
    expect 0 train "${SMALL[@]}" -o run
    mkfifo pipe
    ln -s pipe link.png
    refuse 4 "link.png: cannot write: not a regular file" sample run -o link.png
    [ -L link.png ]
    refuse 2 "-o: longer than 2047 characters" sample run -o "$(printf './%.0s' {1..1020})run/model.safetensors.png"
}

@test "a network larger than memory is described before it is made" {
    export OPENBLAS_NUM_THREADS=1
    (ulimit -v 500000 && vaectl --version >/dev/null 2>&1) || skip "this build needs more for itself"
    (
        ulimit -v 500000
        expect 8 train --data builtin:digits:train=2,test=1 --hidden 8000,8000 --threads 1 -o run
    )
    [ "$(cat errors.txt)" = "vaectl: network 784-8000-8000-10-8000-8000-784, relu: 141 million parameters, at least\
 2.3 GB of memory to train, a model file of 1.7 GB
vaectl: out of memory (563 MB asked for)" ]
    [ ! -e run ]
}

@test "too little address space for OpenBLAS" {
    (ulimit -v 150000 && vaectl --version >/dev/null 2>&1) || skip "this build needs more for itself"
    (
        ulimit -v 150000
        refuse 8 "OpenBLAS needs 128 MB" train "${SMALL[@]}" --threads 1 -o run
    )
}

@test "address space for OpenBLAS or for the network, but not for both" {
    (ulimit -v 190000 && vaectl --version >/dev/null 2>&1) || skip "this build needs more for itself"
    for threads in 1 2; do
        : >codes
        for limit in 190000 250000 {340000..420000..10000} 700000; do
            code=0
            (
                ulimit -v $limit
                timeout -s KILL 60 "$VAECTL" train --data builtin:digits:train=600,test=10 --hidden 800 --batch 300 \
                    --epochs 1 --threads $threads -o run --force >/dev/null 2>errors.txt
            ) || code=$?
            [ $code -eq 0 ] || [ $code -eq 8 ] || { echo "$limit: status $code"; false; }
            [ $code -eq 0 ] || grep -q "out of memory" errors.txt
            echo "$code" >>codes
        done
        # (In between it may go either way: the second thread's malloc sometimes takes room for a moment.)
        [ "$(head -n 1 codes)" -eq 8 ]
        [ "$(tail -n 1 codes)" -eq 0 ]
    done
}

@test "stdout that cannot be written" {
    [ -e /dev/full ] || skip "no /dev/full"
    status=0
    vaectl priors >/dev/full 2>errors.txt || status=$?
    [ "$status" -eq 4 ]
    grep -q "stdout: cannot write" errors.txt
}

@test "stdin, stdout and stderr that are closed: no file is opened in their place" {
    [ -e /proc/self/fd ] || skip "no /proc"
    ${VAECTL_RUNNER:-} "$VAECTL" train "${SMALL[@]}" --epochs 1000000 -o run <&- >&- 2>&- &
    pid=$!
    while [ ! -e run/metrics.csv ]; do sleep 0.01; done
    for file in 0 1 2; do readlink /proc/$pid/fd/$file >>files || true; done
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 143 ]
    [ "$(tr "\n" " " <files)" = "/dev/null /dev/null /dev/null " ]
    status=0
    vaectl info run 2>errors.txt >&- || status=$?
    [ "$status" -eq 4 ]
    [ "$(tail -n 1 errors.txt)" = "vaectl: stdout: cannot write: Bad file descriptor" ] # perhaps behind a word that it is not trained
    expect 0 info run
}

@test "missing, empty and damaged models" {
    refuse 5 "runs/latest: no model there" sample
    refuse 5 "nowhere" info nowhere
    mkdir run
    refuse 5 "run: no model.safetensors in it (expected a run folder)" eval run
    : >run/model.safetensors
    refuse 5 "too few for a model file" reconstruct run
    rm -r run
    expect 0 train "${SMALL[@]}" -o run
    head -c -1 run/model.safetensors >cut
    refuse 5 "cut: too short" traverse cut
    printf 'PK\3\4 a zip file, as PyTorch writes them' >zip
    refuse 5 "not a safetensors file" info zip
}

@test "data that does not fit the model" {
    expect 0 train "${SMALL[@]}" -o run
    make_mnist m
    refuse 3 "images are 6 x 5, the model takes 28 x 28" eval run --data m
    refuse 3 "images are 6 x 5, the model takes 28 x 28" reconstruct run --data m
    expect 0 train --data m --hidden 8 --epochs 1 -o small
    mv m moved
    refuse 3 "(the model's training data; --data names others)" reconstruct small
    refuse 2 "--first: 60 is past the last of 50 images" reconstruct run --first 60
    refuse 2 "--image: 50 is out of range" traverse run --image 50
    refuse 2 "--dims" traverse run --dims 0,10
    refuse 2 "expected train, validation, test or all" eval run --split valid
}

@test "divergence keeps the last good model and names the step" {
    refuse 6 "times that of the untrained model at step 2 (epoch 1)" train "${SMALL[@]}" --lr 1e6 -o run
    expect 0 info run
    [[ $output == *"0 epochs"* ]]
}

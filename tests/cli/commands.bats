# SPDX-License-Identifier: MIT
# Every command as a user would run it.
load common

@test "train, then everything else, with no other flag" {
    expect 0 train "${SMALL[@]}" --prior spikeslab --p 0.8 --c2 0.05
    [[ $output == runs/spikeslab-*/model.safetensors*metrics.csv ]]
    for command in reconstruct sample traverse; do
        expect 0 $command
        [ "$output" = "runs/latest/$command.png" ]
        is_png runs/latest/$command.png
    done
    expect 0 eval
    [[ $output == *neg_elbo*"KL (nats)"* ]]
    expect 0 info
    [[ $output == *spikeslab:p=0.8,c2=0.05* ]]
}

@test "a flow posterior, and everything else" {
    expect 0 train "${SMALL[@]}" --posterior iaf --width 24 --context 8
    for command in reconstruct sample traverse; do
        expect 0 $command
        is_png runs/latest/$command.png
    done
    expect 0 eval --samples 20 --json
    [[ $output == *'"nll":'* ]]
    expect 0 info
    [[ $output == *iaf:blocks=2,width=24,context=8* ]]
    [[ $output == *"posterior.1.latents.weight"*"24 x 10"* ]]
}

@test "without --data it says what it used" {
    expect 0 train --epochs 1 --hidden 8 --batch 1000 -o run
    [[ $errors == *"no data/mnist (scripts/fetch-mnist.sh fetches it): using builtin:digits"* ]]
    make_mnist data/mnist
    expect 0 train --epochs 1 --hidden 8 -o run2
    [[ $errors == *"using data/mnist"*"20 + 10 images of 6 x 5"* ]]
}

@test "metrics.csv has the promised header and a row an epoch" {
    expect 0 train "${SMALL[@]}" -o run
    [ "$(head -n 1 run/metrics.csv)" = \
        "epoch,step,seconds,train_loss,train_recon,train_kl,test_recon,test_kl,test_neg_elbo,active_units" ]
    [ "$(wc -l <run/metrics.csv)" -eq 3 ]
    [[ $(tail -n 1 run/metrics.csv) =~ ^2,6,[0-9.]+,([0-9.]+,){6}[0-9]+$ ]]
}

@test "same command and seed, same bytes, for 1, 2 and 3 threads" {
    for threads in 1 2 3 1; do
        expect 0 train "${SMALL[@]}" --prior spikeslab --threads $threads -o run --force
        sha256sum <run/model.safetensors >>models
        cut -d, -f1,2,4- run/metrics.csv | sha256sum >>metrics
    done
    [ "$(sort -u models | wc -l)" -eq 1 ]
    [ "$(sort -u metrics | wc -l)" -eq 1 ]
    expect 0 train "${SMALL[@]}" --prior spikeslab --seed 2 -o run --force
    [ "$(sha256sum <run/model.safetensors)" != "$(head -n 1 models)" ]
}

@test "each build of OpenBLAS gives the same weights for 1, 2 and 3 threads" {
    builds=$(find /usr/lib -path '*/openblas-*/libopenblas.so.0' 2>/dev/null)
    [ "$(printf '%s\n' "$builds" | wc -l)" -gt 1 ] || skip "one build of OpenBLAS is installed"
    for build in $builds; do
        for threads in 1 2 3; do
            LD_LIBRARY_PATH=${build%/*} expect 0 train "${SMALL[@]}" --batch 128 --hidden 256 --threads $threads \
                -o run --force
            # The metadata names the build; the tensors behind the header must not differ.
            tail -c 100000 run/model.safetensors | sha256sum >>"sums-$(basename "${build%/*}")"
        done
    done
    for sums in sums-*; do
        echo "$sums"
        [ "$(sort -u "$sums" | wc -l)" -eq 1 ]
    done
}

@test "pictures and evaluations are the same twice" {
    expect 0 train "${SMALL[@]}" -o run
    for command in reconstruct sample traverse; do
        expect 0 $command run -o a.png
        expect 0 $command run -o b.png
        cmp a.png b.png
    done
    expect 0 sample run -o a.png
    expect 0 sample run --seed 2 -o b.png
    if cmp -s a.png b.png; then false; fi
    expect 0 eval run --threads 1
    first=$output
    expect 0 eval run --threads 3
    [ "$first" = "$output" ]
}

@test "a model file and a link to a run work as RUN" {
    expect 0 train "${SMALL[@]}" -o run
    mkdir elsewhere
    cp run/model.safetensors elsewhere/m.safetensors
    expect 0 sample elsewhere/m.safetensors
    [ "$output" = elsewhere/sample.png ]
    expect 0 sample runs/latest
    [ -e run/sample.png ]
}

@test "trainings that start together do not disturb each other" {
    pids=()
    for i in {1..12}; do
        vaectl train --data builtin:digits:train=50,test=5 --hidden 8 --epochs 1 -q 2>>errors.txt >/dev/null &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    [ ! -s errors.txt ]
    [ -e runs/latest/model.safetensors ]
    [ "$(find runs -mindepth 1 | grep -c 'runs/normal-[^/]*$')" -eq 12 ]
    [ "$(ls -A runs | wc -l)" -eq 13 ]
}

@test "runs/latest may be trained on with" {
    expect 0 train "${SMALL[@]}" -o runs/one
    expect 0 train --resume runs/latest --epochs 3 -q
    [ "$(readlink runs/latest)" = one ]
    expect 0 train "${SMALL[@]}" -o runs/latest --force
    [ "$(readlink runs/latest)" = one ]
    expect 0 info
}

@test "where runs/latest cannot be made, training goes on" {
    touch runs
    expect 0 train "${SMALL[@]}" -o away
    [[ $errors == "vaectl: runs/latest: cannot point at away: Not a directory" ]]
}

@test "paths that are not UTF-8" {
    name=$(printf 'r\377\200')
    expect 0 train "${SMALL[@]}" -o "$name" --json
    [[ $output == '{"run": "r\\xff\\x80", '* ]]
    expect 0 eval "$name" --json --samples 2
    [[ $output == '{"model": "r\\xff\\x80/model.safetensors", '* ]]
    expect 0 info "$name" --json
}

@test "no test split: said, also under --quiet" {
    make_images 20 >one
    expect 0 train --data one --holdout 0 --hidden 8 --epochs 1 -q -o run
    [[ $errors == *"no test split"* ]]
}

@test "runs/latest points at the newest" {
    expect 0 train "${SMALL[@]}"
    expect 0 train "${SMALL[@]}"
    [ "$(find runs -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 2 ]
    expect 0 train "${SMALL[@]}" --prior laplace --scale 2
    [[ $(readlink runs/latest) == laplace-* ]]
    expect 0 train "${SMALL[@]}" -o away
    [ "$(readlink -f runs/latest)" = "$(readlink -f away)" ]
}

@test "eval --json has the promised keys" {
    expect 0 train "${SMALL[@]}" -o run --prior cauchy
    expect 0 eval run --json --limit 20 --kl-samples 100 --elbo-samples 3 --seed 5
    for key in '"n": 20' neg_elbo recon '"kl":' kl_per_dim active_units '"seed": 5' seconds '"kl_samples": 100'; do
        [[ $output == *"$key"* ]]
    done
    [ "$(printf '%s\n' "$output" | wc -l)" -eq 1 ]
}

@test "info --json has numbers as numbers" {
    expect 0 train "${SMALL[@]}" -o run --prior spikeslab
    expect 0 info run --json
    for words in '"latent": 10' '"lr": 0.001' '"prior": "spikeslab:p=0.8,c2=0.05"' '"active_units": ' '"test_recon": '; do
        [[ $output == *"$words"* ]]
    done
}

@test "a signal before the first step leaves a model, not an empty folder" {
    env --default-signal=INT ${VAECTL_RUNNER:-} "$VAECTL" train --data builtin:digits:train=500,test=10 \
        --hidden 1000,1000 --epochs 1000000 -q -o run 2>errors.txt &
    pid=$!
    while [ ! -d run ]; do sleep 0.01; done
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 130 ]
    expect 0 info run
}

@test "train --json prints one object and nothing else" {
    expect 0 train "${SMALL[@]}" -o run --json
    [[ $output == '{"run": "run"'*'"test_neg_elbo"'* ]]
    [ "$(printf '%s\n' "$output" | wc -l)" -eq 1 ]
    [ -z "$errors" ]
}

@test "traversals of one row, of a plane, and from an image" {
    expect 0 train "${SMALL[@]}" -o run --latent 3
    expect 0 traverse run --rows 1 --steps 5
    expect 0 traverse run --dims 2,0 --range 2
    expect 0 traverse run --image 7
    is_png run/traverse.png
}

@test "one image file, split and whole; images that are not square" {
    make_mnist m
    expect 0 train --data m/train-images-idx3-ubyte --hidden 8 --epochs 1 -o run
    [[ $errors == *"18 + 2 images of 6 x 5"* ]]
    expect 0 reconstruct run
    expect 0 train --data m/train-images-idx3-ubyte --holdout 0 --hidden 8 --epochs 1 -o run2
    [[ $errors == *"no test split"* ]]
    make_images 2 >two
    expect 0 train --data two --hidden 8 --epochs 2 --latent 1 --holdout 0 -o run3
    expect 0 traverse run3
    make_images 1 >one
    refuse 3 "one: a single image to train on" train --data one -o run4
}

@test "gzip is recognised by content, not by name" {
    make_mnist m
    expect 0 train --data m --hidden 8 --epochs 1 -o plain
    for file in m/*; do gzip -c "$file" >"$file.new" && mv "$file.new" "$file"; done
    expect 0 train --data m --hidden 8 --epochs 1 -o run
    [[ $errors == *"m: 20 + 10 images of 6 x 5"* ]]
    cmp plain/model.safetensors run/model.safetensors
}

@test "a file of images that is larger than memory should hold" {
    printf '\0\0\10\3\0\0\0\310\0\0\4\0\0\0\4\0' >large # 200 images of 1024 x 1024, all black
    truncate -s $((16 + 200 * 1024 * 1024)) large
    expect 0 train --data large --hidden 2 --latent 1 --epochs 1 --batch 20 -o run
    [[ $errors == *"180 + 20 images of 1024 x 1024"* ]]
    expect 0 eval run --samples 2
    expect 0 reconstruct run -n 1
}

@test "bench: ratio, phases and JSON" {
    expect 0 bench --data builtin:digits:train=200,test=10 --hidden 16 --latent 2 --rounds 2 --threads 2
    [[ $output == *"ratio"*"decoder.1 backward"*"weights"*"peak memory"* ]]
    expect 0 bench --data builtin:digits:train=200,test=10 --hidden 16 --rounds 1 --json
    [[ $output == '{"peak_memory_mb": '*'"floor": '*'"step": '*'"phases": '* ]]
    refuse 2 "--rounds: 0 is out of range" bench --rounds 0
    expect 0 bench --data builtin:digits:train=100,test=5 --hidden 8,8,8,8,8,8,8,8 --rounds 1
    [[ $output == *"encoder.0 forward"*"decoder.8 backward"*"weights"* ]]
}

@test "a run that is stopped and resumed ends with the same bytes" {
    flags=(--data builtin:digits:train=300,test=50 --hidden 32 --validation 0.1 --binarize dynamic -q)
    expect 0 train "${flags[@]}" --epochs 4 -o whole
    expect 0 train "${flags[@]}" --epochs 2 -o parts
    printf '3,9,0.1,1,1,1,1,1,1,1,1\n' >>parts/metrics.csv # of an epoch that the model file does not know
    expect 0 train --resume parts --epochs 4 -q
    for file in model best; do cmp whole/$file.safetensors parts/$file.safetensors; done
    cmp <(cut -d, -f1,2,4- whole/metrics.csv) <(cut -d, -f1,2,4- parts/metrics.csv)
    [ "$(head -n 1 parts/metrics.csv | cut -d, -f11)" = validation_loss ]
    expect 0 train --resume parts/model.safetensors -q # nothing is left to do
    cmp whole/model.safetensors parts/model.safetensors
}

@test "a run killed in mid-epoch and resumed ends with the same bytes" {
    flags=(--data builtin:digits:train=3000,test=50 --hidden 300 --batch 10 --epochs 3 -q)
    expect 0 train "${flags[@]}" -o whole
    ${VAECTL_RUNNER:-} "$VAECTL" train "${flags[@]}" -o parts 2>errors.txt &
    pid=$!
    while ! grep -q '^1,' parts/metrics.csv 2>/dev/null; do sleep 0.01; done
    kill -TERM $pid
    wait $pid || true
    grep -q "state saved" errors.txt || skip "it had ended before the signal came"
    expect 0 train --resume parts -q
    cmp whole/model.safetensors parts/model.safetensors
    cmp <(cut -d, -f1,2,4- whole/metrics.csv) <(cut -d, -f1,2,4- parts/metrics.csv)
}

@test "resume: what may not be given with it" {
    expect 0 train "${SMALL[@]}" -o run
    refuse 2 "vaectl: lr: a trained model keeps its settings" train --resume run --lr 1
    refuse 2 "--resume goes on in the run's own folder (no --output)" train --resume run -o other
    refuse 5 "nowhere: cannot open folder" train --resume nowhere
    [ ! -e nowhere ]
    refuse 2 "vaectl: epochs: 1 is less than the 2 that are done or begun" train --resume run --epochs 1
    expect 0 train "${SMALL[@]}" --schedule cosine -o cosine
    refuse 2 "vaectl: epochs: the cosine schedule of this run depends on it" train --resume cosine --epochs 3
}

@test "a refused resume leaves the run as it was" {
    expect 0 train "${SMALL[@]}" -o run
    sha256sum run/* >before
    refuse 3 "200 training images, and the model was trained on 300 so far" train -q --resume run --data builtin:digits:train=200,test=50 --epochs 4
    refuse 3 "299 training images, and the model was trained on 300 so far" train -q --resume run --data builtin:digits:train=299,test=50 --epochs 4
    make_mnist m
    refuse 3 "images are 6 x 5" train -q --resume run --data m --epochs 4
    cp run/model.safetensors run/other.safetensors
    refuse 2 "expected a run folder or its model.safetensors" train -q --resume run/other.safetensors --epochs 4
    sha256sum -c --quiet before
}

@test "resume keeps what is whole of metrics.csv, and says what is not" {
    expect 0 train "${SMALL[@]}" -o run
    head -c -20 run/metrics.csv >cut && mv cut run/metrics.csv
    expect 0 train --resume run --epochs 3 -q
    [[ $errors == *"1 of 2 earlier epochs are missing or damaged"* ]]
    [ "$(cut -d, -f1 run/metrics.csv | tr '\n' ' ')" = "epoch 1 3 " ]
    sed -i 2d run/metrics.csv
    expect 0 train --resume run --epochs 4 -q
    [ "$(cut -d, -f1 run/metrics.csv | tr '\n' ' ')" = "epoch 3 4 " ]
    printf '1,3,0.\n2zzz\n' >>run/metrics.csv
    sed -i '2s/.*/1,1,1,1,1,1,1,1,x,1/' run/metrics.csv
    expect 0 train --resume run --epochs 5 -q
    [ "$(cut -d, -f1 run/metrics.csv | tr '\n' ' ')" = "epoch 4 5 " ]
}

@test "early stopping says so, and --force leaves no best model of another run" {
    expect 0 train --data builtin:digits:train=100,test=10 --hidden 16 --latent 2 --batch 10 --epochs 400 --lr 0.02 \
        --validation 0.3 --patience 2 -q -o run
    [[ $errors == *"stopped after epoch "*"(--patience 2)"* ]]
    expect 0 eval run --json --samples 0
    [[ $output == '{"model": "run/best.safetensors", "epoch": '* ]]
    expect 0 train --resume run -q
    [[ $errors == *"stopped after epoch "* ]]
    expect 0 train "${SMALL[@]}" -o run --force
    [ ! -e run/best.safetensors ]
    expect 0 train --resume run -q
    [[ $errors == *"all 2 epochs are done"* ]]
}

@test "eval: likelihood, sparsity, probe; exact KL of a model trained without" {
    expect 0 train "${SMALL[@]}" -o run --prior cauchy
    expect 0 eval run --samples 20
    for words in "nll  *[0-9.]* (20 importance samples" "Hoyer " "linear probe" "an idle latent costs 0.18"; do
        printf '%s' "$output" | grep -q "$words"
    done
    expect 0 eval run --json --kl exact --samples 0
    [[ $output == *'"nll": null'*'"nll_samples": 0'*'"hoyer_normalized": 0.'*'"probe_accuracy": 0.'* ]]
    [[ $output == *'"kl_samples": 0'* ]]
    for split in train test; do
        expect 0 eval run --json --split $split --samples 2
        [[ $output == *"\"split\": \"$split\", \"binarize\": \"none\", \"pseudo_likelihood\": true"* ]]
        [[ $split == test || $output == *'"probe_accuracy": null'* ]] # no marks for what it was shown
    done
    refuse 2 "no such split" eval run --split validation
    refuse 2 "--kl: 'auto' (expected exact or mc)" eval run --kl auto
}

@test "a model trained with a validation split takes a single image" {
    expect 0 train "${SMALL[@]}" --validation 0.1 -o run
    { printf '\0\0\10\3\0\0\0\1\0\0\0\34\0\0\0\34' && head -c 784 /dev/zero; } >one
    expect 0 eval run --data one --samples 2
    [[ $output == *"one, all split: 1 images"* ]]
    expect 0 reconstruct run --data one -n 1
    refuse 3 "one: a single image to train on" train --data one --validation 0.1 -o none
    [ ! -e none ]
}

@test "importance-weighted training, all estimators and activations" {
    for gradient in standard stl dreg; do
        expect 0 train "${SMALL[@]}" --objective iwae --samples 3 --gradient $gradient -o run-$gradient
        cut -d, -f4- run-$gradient/metrics.csv | tail -n 1 >>losses
    done
    [ "$(sort -u losses | wc -l)" -eq 3 ]
    expect 0 train "${SMALL[@]}" --activation gated --schedule cosine --clip 1 -o gated
    expect 0 info gated
    [[ $output == *"encoder.0.gate.weight 32 x 784"* ]]
    expect 0 reconstruct gated
}

@test "reproductions: each script runs" {
    not_under "each command is in other tests" asan tsan valgrind
    for script in "$BATS_TEST_DIRNAME"/../../scripts/reproduce/*.sh; do
        [ "${script##*/}" != common.sh ] || continue
        SMOKE=1 RUNS=$PWD/runs THREADS=1 "$script" >table 2>log || { cat log; false; }
        grep -q "^| run | seeds | neg_elbo" table
        [ "$(grep -c '^| .* | 1 | [0-9]' table)" -ge 1 ]
        [ "${script##*/}" != record.sh ] || cp table record
    done
    loss=$(awk -F, 'NR == 2 { printf "%.2f", $9 }' runs/smoke/record/realnvp-1/metrics.csv)
    grep -q "^| record/realnvp-1, test_neg_elbo at epochs [0-9 ]* | $loss | - | " record
    for picture in "$BATS_TEST_DIRNAME"/../../docs/documents/*; do
        [ -s "runs/smoke/documents/${picture##*/}" ] || { echo "${picture##*/}: no script makes it"; false; }
    done
}

@test "reproductions: a training that goes on keeps its checkpoints" {
    printf '#!/bin/sh\necho "$@"\n' >words && chmod +x words
    mkdir -p runs/smoke/plane && touch runs/smoke/plane/model.safetensors
    export SMOKE=1 RUNS=$PWD/runs VAECTL=$PWD/words
    bash -c ". '$BATS_TEST_DIRNAME/../../scripts/reproduce/common.sh'; train plane 7 --latent 2 --keep-every 2 --lr 1" 2>said
    [ "$(cat said)" = "train --resume $PWD/runs/smoke/plane --epochs 7 -q --keep-every 2" ]
}

@test "plot fields: one scale of colours below all rows" {
    expect 0 train "${SMALL[@]}" --latent 12 -o run
    expect 0 plot fields run -o fields.svg
    [ "$(grep -c '>z[0-9]*</text>' fields.svg)" -eq 12 ]
    [ "$(grep -c '>0</text>' fields.svg)" -eq 1 ]
}

@test "p = 0 and p = 1 train" {
    for p in 0 1; do
        expect 0 train "${SMALL[@]}" --prior spikeslab --p $p -o run$p
        expect 0 sample run$p
        expect 0 info run$p
        [[ $output == *"  prior                spikeslab:p=$p,c2=0.05"*"  encoder.0.weight     32 x 784"* ]]
    done
}

@test "a signal: state saved, shell sees it" {
    for signal in INT TERM HUP; do
        # bash starts background jobs with SIGINT ignored; env undoes that.
        env --default-signal=$signal ${VAECTL_RUNNER:-} "$VAECTL" train --data builtin:digits:train=2000,test=50 \
            --epochs 1000000 -q -o run-$signal 2>errors.txt &
        pid=$!
        while ! grep -q '^1,' run-$signal/metrics.csv 2>/dev/null; do sleep 0.01; done
        kill -$signal $pid
        status=0
        wait $pid || status=$?
        [ "$status" -eq $((128 + $(kill -l $signal))) ]
        grep -q "state saved in run-$signal/model.safetensors" errors.txt
        expect 0 info run-$signal
    done
}

@test "a signal that nohup ignores stays ignored" {
    env --ignore-signal=HUP ${VAECTL_RUNNER:-} "$VAECTL" train "${SMALL[@]}" --epochs 4 -o run 2>errors.txt &
    pid=$!
    while [ ! -e run/metrics.csv ]; do sleep 0.01; done
    kill -HUP $pid 2>/dev/null || true
    wait $pid
    [ "$(wc -l <run/metrics.csv)" -eq 5 ]
}

@test "MNIST: one epoch of the basic network" {
    not_under "a number" asan tsan valgrind
    need_mnist
    expect 0 train --data "$MNIST" --latent 20 --epochs 1 -q -o run --json
    loss=$(printf '%s' "$output" | sed 's/.*"test_neg_elbo": \([0-9.]*\).*/\1/')
    awk -v loss="$loss" 'BEGIN { exit !(loss > 125.5 && loss < 130) }' # 127.6 in an independent implementation
}

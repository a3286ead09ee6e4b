module benches

go 1.26

# Fuzz targets: tests/fuzz/<unit>_fuzz.cc with a corpus in tests/fuzz/corpus/<unit>/.
#
# With CULVERT_FUZZ (clang) the ctest fuzz_<unit> runs libFuzzer, starting from the corpus, for a
# fixed number of inputs. In other builds the same source is linked to replay_main.cc, and the ctest replays
# the corpus. Merge the inputs of a longer run into the corpus:
#
#   cmake -G Ninja -B build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DCULVERT_FUZZ=ON
#   ninja -C build-fuzz gre_fuzz && mkdir found && build-fuzz/tests/gre_fuzz found tests/fuzz/corpus/gre
#   build-fuzz/tests/gre_fuzz -merge=1 tests/fuzz/corpus/gre found
set(CULVERT_FUZZ_RUNS 200000 CACHE STRING "Inputs that each fuzz test tries")
set(culvert_divisor_config 4)  # of the number of inputs, for units that take long for each
set(culvert_divisor_ndppd 4)
set(culvert_divisor_gro 20)

# Adds the fuzz target of one unit; ARGN: the libraries it needs.
function(culvert_fuzz unit)
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${unit})
  culvert_test_program(${unit}_fuzz ${PROJECT_SOURCE_DIR}/tests/fuzz/${unit}_fuzz.cc ${ARGN})
  if(CULVERT_FUZZ)
    set(found ${CMAKE_CURRENT_BINARY_DIR}/found/${unit})  # new inputs and findings
    file(MAKE_DIRECTORY ${found})
    target_link_libraries(${unit}_fuzz PRIVATE culvert_coverage)  # of the parsers that are inline
    target_link_options(${unit}_fuzz PRIVATE -fsanitize=fuzzer)
    set(runs ${CULVERT_FUZZ_RUNS})
    if(DEFINED culvert_divisor_${unit})
      math(EXPR runs "${runs} / ${culvert_divisor_${unit}}")
    endif()
    add_test(NAME fuzz_${unit} COMMAND ${unit}_fuzz -runs=${runs}
      -timeout=5 -rss_limit_mb=1024 -print_final_stats=1
      -artifact_prefix=${found}/ ${found} ${corpus})
  else()
    target_sources(${unit}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME fuzz_${unit} COMMAND ${unit}_fuzz ${corpus})
  endif()
  set_tests_properties(fuzz_${unit} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()

culvert_fuzz(address culvert_proto)
if(CULVERT_PROGRAM)
  culvert_fuzz(config culvert_program)
  culvert_fuzz(ndppd culvert_program)
endif()
culvert_fuzz(flow_key culvert_engine)
culvert_fuzz(gre culvert_proto)
culvert_fuzz(icmpv4 culvert_proto)
culvert_fuzz(ipip culvert_engine)
culvert_fuzz(ipv4 culvert_proto)
culvert_fuzz(ipv6 culvert_proto)
culvert_fuzz(ndp culvert_proto)
culvert_fuzz(tcp culvert_proto)
culvert_fuzz(gso culvert_test_support culvert_engine)
culvert_fuzz(gro culvert_test_support culvert_engine)
culvert_fuzz(relay culvert_test_support culvert_engine)
set_property(TEST fuzz_gro PROPERTY COST 30)  # what takes longest begins first

# tools/quickstart, end to end.
if(CULVERT_PROGRAM AND NOT CULVERT_SANITIZE)
  add_test(NAME quickstart COMMAND ${CMAKE_CURRENT_LIST_DIR}/quickstart_test.py ${PROJECT_BINARY_DIR})
  set_tests_properties(quickstart PROPERTIES LABELS netns TIMEOUT 300 SKIP_RETURN_CODE 77 RUN_SERIAL ON)
endif()

# The man pages: every option, word and key has its entry.
if(CULVERT_PROGRAM)
  add_test(NAME man_pages
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/man_test.py $<TARGET_FILE:culvert> ${PROJECT_SOURCE_DIR})
  set_tests_properties(man_pages PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endif()

# `culvert bench` finds culvert-bench.
if(CULVERT_PROGRAM)
  add_test(NAME bench_program COMMAND ${CMAKE_CURRENT_LIST_DIR}/bench_program_test.py $<TARGET_FILE:culvert>)
  set_tests_properties(bench_program PROPERTIES LABELS unit TIMEOUT 120)
endif()
